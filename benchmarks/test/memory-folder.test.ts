import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { isInMemory, memoryFolder } from "../src/memory-folder.ts";

test("a folder is in memory when its file system is one", () => {
	expect(isInMemory("/no such folder")).toBe(false);
	if (process.platform !== "linux") return expect(memoryFolder()).toBeUndefined();
	expect(isInMemory("/proc")).toBe(false);
	const shared = "/dev/shm";
	if (existsSync(shared)) expect(isInMemory(shared)).toBe(true);
	expect(memoryFolder()).toBe(isInMemory(shared) ? shared : undefined);
});
