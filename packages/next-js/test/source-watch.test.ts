import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
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

const write = (name: string, text = "") => writeFile(join(folder, name), text);
const count = (n: number) => vi.waitUntil(() => asked.length === n, { timeout: 5_000 });

it("asks the route once for what is saved in one go, in folders that are new, too", async () => {
	await Promise.all([write("src/deep/a.ts"), write("src/b.tsx"), write("c.json")]);
	await count(1);
	expect(asked).toEqual(["/api/rivet/health"]);
	await mkdir(join(folder, "src/new"));
	// Watched as soon as the folder was noticed.
	await vi.waitUntil(
		async () => {
			await write("src/new/actors.ts", `${Math.random()}`);
			await new Promise((resolve) => setTimeout(resolve, 100));
			return asked.length > 1;
		},
		{ timeout: 5_000 },
	);
});

it("does not ask for what is no source of the project", async () => {
	await write("node_modules/some/index.js");
	await write(".next/route.js");
	await write("readme.md");
	await write("next-env.d.ts");
	// What follows is noticed after all of it.
	await write("src/last.ts");
	await count(1);
});

it("goes on when a folder is removed", async () => {
	await rm(join(folder, "src/deep"), { recursive: true });
	await mkdir(join(folder, "src/deep"));
	await vi.waitUntil(
		async () => {
			await write("src/deep/again.ts", `${Math.random()}`);
			await new Promise((resolve) => setTimeout(resolve, 100));
			return asked.length > 0;
		},
		{ timeout: 5_000 },
	);
});
