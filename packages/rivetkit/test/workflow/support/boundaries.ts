import { createMemoryStore } from "@rivetkit/engine";
import { describe } from "vitest";
import { openSqlite, type TestStore } from "../../support/stores.ts";
import type { WorldOptions } from "./world.ts";

/** What a check runs on: a store, resident or with a cold start at every wait. For `World.start`. */
export type Boundary = Required<Pick<WorldOptions, "yields" | "openStore">>;

const openMemory = async (): Promise<TestStore> => {
	const store = createMemoryStore();
	return { store, reopen: async () => store, [Symbol.asyncDispose]: () => store.close() };
};

const BOUNDARIES: readonly (readonly [name: string, boundary: Boundary])[] = [
	["memory, resident", { yields: false, openStore: openMemory }],
	["memory, cold start at every wait", { yields: true, openStore: openMemory }],
	["SQLite, resident", { yields: false, openStore: openSqlite }],
	["SQLite, cold start at every wait", { yields: true, openStore: openSqlite }],
];

/** Runs checks on every boundary that they have to hold on (workflows 15). */
export function everywhere(checks: (on: Boundary) => void): void {
	describe.each(BOUNDARIES)("%s", (_name, on) => checks(on));
}
