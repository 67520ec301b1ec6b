import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	createMemoryStore,
	openPostgresStore,
	openSqliteStore,
	type Store,
} from "@rivetkit/engine";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";

export interface TestStore {
	readonly store: Store;
	/** Closes it and opens it again; the memory store stays as it is. */
	reopen(): Promise<Store>;
	[Symbol.asyncDispose](): Promise<void>;
}

/** The stores that what actors keep must look the same on. */
export const STORES: readonly (readonly [name: string, open: () => Promise<TestStore>])[] = [
	["memory", openMemory],
	["SQLite", openSqlite],
	["PostgreSQL", openPostgres],
];

async function openMemory(): Promise<TestStore> {
	const store = createMemoryStore();
	return { store, reopen: async () => store, [Symbol.asyncDispose]: () => store.close() };
}

export async function openSqlite(): Promise<TestStore> {
	const directory = await mkdtemp(join(tmpdir(), "rivetkit-store-"));
	let store = await openSqliteStore({ directory });
	return {
		get store() {
			return store;
		},
		async reopen() {
			await store.close();
			store = await openSqliteStore({ directory });
			return store;
		},
		async [Symbol.asyncDispose]() {
			await store.close();
			await rm(directory, { recursive: true, force: true });
		},
	};
}

async function openPostgres(): Promise<TestStore> {
	const url = await emptiedDatabase();
	let store: Store = await openPostgresStore({ url });
	return {
		get store() {
			return store;
		},
		async reopen() {
			await store.close();
			store = await openPostgresStore({ url });
			return store;
		},
		[Symbol.asyncDispose]: () => store.close(),
	};
}
