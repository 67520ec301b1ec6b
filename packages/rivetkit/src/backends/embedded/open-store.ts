import { resolve } from "node:path";
import { createMemoryStore, openSqliteStore, type Store } from "@rivetkit/engine";
import type { DriverConfig } from "../driver.ts";

/** Where data goes when nothing is configured: beside the project (architecture, storage layout). */
export const DEFAULT_STORAGE_PATH = ".rivetkit";

export interface OpenedStore {
	readonly store: Store;
	/** Absolute; null when data is kept in memory only. */
	readonly dataDirectory: string | null;
}

/** Opens what the configuration asks for. Rejects with a `StoreError` that names the path. */
export async function openStoreFor(config: {
	readonly driver?: DriverConfig | undefined;
	readonly storagePath?: string | undefined;
}): Promise<OpenedStore> {
	const driver = config.driver;
	if (driver?.name === "memory") return { store: createMemoryStore(), dataDirectory: null };
	const path = driver?.path ?? config.storagePath ?? DEFAULT_STORAGE_PATH;
	const dataDirectory = resolve(path);
	return { store: await openSqliteStore({ directory: dataDirectory }), dataDirectory };
}
