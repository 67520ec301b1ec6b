import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPath } from "../../src/config/config-error.ts";
import { nearestName } from "../../src/config/nearest-name.ts";

const KNOWN = ["onWake", "onSleep", "onConnect", "onDisconnect", "actions", "options", "state"];

describe("nearestName", () => {
	it.each([
		["onwake", "onWake"],
		["onWkae", "onWake"],
		["onConect", "onConnect"],
		["onDisconnected", "onDisconnect"],
		["action", "actions"],
		["staet", "state"],
	])("finds what %s was meant to be", (written, meant) => {
		expect(nearestName(written, KNOWN)).toBe(meant);
	});

	it.each(["x", "zzzzzz", "database", ""])("does not guess for %o", (written) => {
		expect(nearestName(written, KNOWN)).toBeUndefined();
	});

	it("finds every known name again, and every one with a typo of its own", () => {
		fc.assert(
			fc.property(fc.constantFrom(...KNOWN), fc.nat(), (name, seed) => {
				expect(nearestName(name, KNOWN)).toBe(name);
				const at = seed % name.length;
				const typo = `${name.slice(0, at)}_${name.slice(at + 1)}`;
				expect(nearestName(typo, KNOWN)).toBeDefined();
			}),
		);
	});
});

describe("formatPath", () => {
	it("writes a path as in code", () => {
		expect(formatPath([])).toBe("(root)");
		expect(formatPath(["options", "name"])).toBe("options.name");
		expect(formatPath(["queues", "a b", 0, "x"])).toBe('queues["a b"][0].x');
	});
});
