import { describe, expect, test } from "vitest";
import { firstDifference, isAtLeast } from "../../scripts/ensure-installed.mjs";

describe("what the set-up script installs", () => {
	const lockfile = {
		packages: {
			"": {},
			"node_modules/ws": { version: "8.23.0", integrity: "sha512-a" },
			"node_modules/fsevents": { version: "2.3.3", optional: true },
			"packages/engine": { version: "0.1.0" },
		},
	};

	test("nothing, when everything locked is there and only optional packages are absent", () => {
		const installed = {
			packages: {
				"node_modules/ws": { version: "8.23.0", integrity: "sha512-a" },
				"packages/engine": { version: "0.1.0" },
			},
		};
		expect(firstDifference(lockfile, installed)).toBeUndefined();
	});

	test("everything, when a package is missing", () => {
		const installed = { packages: { "packages/engine": { version: "0.1.0" } } };
		expect(firstDifference(lockfile, installed)).toBe("node_modules/ws");
	});

	test("everything, when a package has another version or other content", () => {
		const engine = { "packages/engine": { version: "0.1.0" } };
		const older = { packages: { ...engine, "node_modules/ws": { version: "8.22.0" } } };
		const other = {
			packages: { ...engine, "node_modules/ws": { version: "8.23.0", integrity: "sha512-b" } },
		};
		expect(firstDifference(lockfile, older)).toBe("node_modules/ws");
		expect(firstDifference(lockfile, other)).toBe("node_modules/ws");
	});
});

test.each([
	["20.20.2", [22, 13], false],
	["22.12.0", [22, 13], false],
	["v22.13.0", [22, 13], true],
	["24.0.0", [22, 13], true],
	["", [20, 0], false],
])("Node %s against a minimum of %j", (version, minimum, expected) => {
	expect(isAtLeast(version, minimum as number[])).toBe(expected);
});
