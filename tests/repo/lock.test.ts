import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { withLock } from "../../scripts/lib/lock.ts";

const CHILD = fileURLToPath(new URL("children/count-under-lock.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "lock-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("lets one process in at a time, also after those that died in their section", async () => {
	const [lock, log] = [join(directory, "lock"), join(directory, "log")];
	const ends = Array.from({ length: 6 }, async (_, index) => {
		const how = index % 2 === 0 ? "dies" : "ends";
		const sections = how === "dies" ? "1" : "4";
		const child = spawn(process.execPath, [CHILD, lock, log, sections, how], { stdio: "inherit" });
		const [code, signal] = await once(child, "exit");
		expect([code, signal]).toEqual(how === "dies" ? [null, "SIGKILL"] : [0, null]);
	});
	await Promise.all(ends);
	const lines = readFileSync(log, "utf8").trimEnd().split("\n");
	expect(lines.filter((line) => line.startsWith("in"))).toHaveLength(15);
	const abandoned: string[] = [];
	for (const [index, line] of lines.entries()) {
		if (!line.startsWith("in")) continue;
		const owner = line.slice("in ".length);
		// Whatever follows is of its own section, or of the next one when it died in it.
		if (lines[index + 1] !== `out ${owner}`) abandoned.push(owner);
	}
	expect(abandoned).toHaveLength(3);
	// Those that died, and nobody that somebody else came in beside.
	expect(abandoned.filter((owner) => lines.includes(`out ${owner}`))).toEqual([]);
});

it("lets the next one in when a section fails, and one of the same process wait", async () => {
	const lock = join(directory, "failing");
	const order: string[] = [];
	const fails = withLock(lock, async () => {
		order.push("first");
		await Promise.resolve();
		throw new Error("no");
	});
	const next = withLock(lock, async () => void order.push("second"));
	await expect(fails).rejects.toThrow("no");
	await next;
	expect(order).toEqual(["first", "second"]);
});

it("fails where there can be no lock", async () => {
	await expect(withLock(join(directory, "not", "there"), async () => {})).rejects.toThrow();
});
