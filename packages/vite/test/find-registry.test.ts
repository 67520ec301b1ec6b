import { setup } from "rivetkit";
import { expect, it } from "vitest";
import { findRegistry } from "../src/find-registry.ts";

const [one, other] = [setup({ use: {} }), setup({ use: {} })];

it.each([
	["the export `registry`, before all others", { default: other, registry: one, other }, one],
	["else the default export", { other, default: one }, one],
	["else the only one that is a registry", { actors: {}, port: 6420, mine: one }, one],
])("takes %s", (_which, module, expected) => {
	expect(findRegistry(module, "src/actors.ts")).toBe(expected);
});

it("says what there is when there is none, or no telling which", () => {
	expect(() => findRegistry({ one, other }, "src/actors.ts")).toThrow(
		'src/actors.ts exports several registries (one, other): call the one to run "registry"',
	);
	expect(() => findRegistry({}, "src/actors.ts")).toThrow(
		"src/actors.ts exports no registry, but nothing: add",
	);
});
