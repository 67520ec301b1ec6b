import { createMemoryStore } from "@rivetkit/engine";
import { describe, it } from "vitest";
import { openSqlite, type TestStore } from "../../support/stores.ts";
import type { WorldOptions } from "./world.ts";

/** What a check runs on: a store, resident or with a cold start at every wait. For `World.start`. */
export interface Boundary extends Required<Pick<WorldOptions, "yields" | "openStore">> {
	/** Whether each look at the store is a round trip to another process. */
	readonly isRemote?: true;
}

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

let boundaries = BOUNDARIES;

/** From now on checks are for these only: {@link everywhere} is here, and nothing is {@link onMemory}. */
export function runOn(...only: typeof BOUNDARIES): void {
	boundaries = only;
}

/** Runs checks on every boundary that they have to hold on (workflows 15). */
export function everywhere(checks: (on: Boundary) => void): void {
	describe.each(boundaries)("%s", (_name, on) => checks(on));
}

const NOTHING = Object.assign(() => {}, { each: () => () => {} });

/** For what is about one process on a store in memory, for the reasons in README.md: `it` and `describe`. */
export const onMemory = {
	get it(): typeof it {
		return boundaries === BOUNDARIES ? it : (NOTHING as unknown as typeof it);
	},
	get describe(): typeof describe {
		return boundaries === BOUNDARIES ? describe : (NOTHING as unknown as typeof describe);
	},
};
