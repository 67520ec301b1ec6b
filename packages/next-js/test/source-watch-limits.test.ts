import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { SourceWatch } from "../src/source-watch.ts";

/** What the system says to whoever wants to watch one more folder. */
const system = vi.hoisted(() => ({ refusal: null as string | null }));
vi.mock("node:fs", async (original) => {
	const fs = await original<typeof import("node:fs")>();
	const watch = (...args: Parameters<typeof fs.watch>) => {
		if (system.refusal === null) return fs.watch(...args);
		const message = `${system.refusal}: System limit for number of file watchers reached`;
		throw Object.assign(new Error(message), { code: system.refusal });
	};
	return { ...fs, watch };
});

it("says once that the system refuses to watch, and lets the actors run", async () => {
	const folder = await mkdtemp(join(tmpdir(), "source-watch-"));
	onTestFinished(() => rm(folder, { recursive: true }));
	await mkdir(join(folder, "src/deep"), { recursive: true });
	const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
	onTestFinished(() => warned.mockRestore());
	system.refusal = "ENOSPC";
	onTestFinished(() => {
		system.refusal = null;
	});
	new SourceWatch(folder).close();
	expect(warned.mock.calls).toEqual([[expect.stringMatching(/cannot watch .*ENOSPC/)]]);
});

it("does not mind a folder that is gone before it is watched", () => {
	const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
	onTestFinished(() => warned.mockRestore());
	new SourceWatch(join(tmpdir(), "source-watch-that-is-gone")).close();
	expect(warned).not.toHaveBeenCalled();
});
