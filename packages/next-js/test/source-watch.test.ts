import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SourceWatch } from "../src/source-watch.ts";

let folder: string;
let watched: SourceWatch;
let asked: string[];
const server = createServer((request, response) => {
	asked.push(request.url!);
	response.end();
});

beforeEach(async () => {
	asked = [];
	folder = await mkdtemp(join(tmpdir(), "source-watch-"));
	for (const name of ["src/deep", "node_modules/some", ".next"]) {
		await mkdir(join(folder, name), { recursive: true });
	}
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	watched = new SourceWatch(folder);
	watched.route = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/rivet`;
});
afterEach(async () => {
	watched.close();
	server.closeAllConnections();
	await new Promise((resolve) => server.close(resolve));
	await rm(folder, { recursive: true });
});

// In one turn: what is noticed of it is noticed together, however slow the machine is.
const write = (...names: string[]) => {
	for (const name of names) writeFileSync(join(folder, name), `${Math.random()}`);
};
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
/** Saves it again and again: a folder that is new is watched only when it was noticed. */
const isNoticed = (name: string) => {
	const before = asked.length;
	return expect
		.poll(async () => {
			write(name);
			await pause();
			return asked.length;
		})
		.toBeGreaterThan(before);
};

it("asks the route once for what is saved in one go, in folders that are new, too", async () => {
	write("src/deep/a.ts", "src/b.tsx", "c.json");
	await expect.poll(() => asked).toEqual(["/api/rivet/health"]);
	await mkdir(join(folder, "src/new"));
	await isNoticed("src/new/actors.ts");
});

it("does not ask for what is no source of the project", async () => {
	write("node_modules/some/index.js", ".next/route.js", "readme.md", "next-env.d.ts");
	await pause();
	expect(asked).toEqual([]);
	// What follows is noticed after all of it.
	write("src/last.ts");
	await expect.poll(() => asked).toHaveLength(1);
});

it("goes on when a folder is removed", async () => {
	await rm(join(folder, "src/deep"), { recursive: true });
	await mkdir(join(folder, "src/deep"));
	await isNoticed("src/deep/again.ts");
});
