import { resolve } from "node:path";
import {
	type ClusterNode,
	createMemoryStore,
	type EngineLimits,
	joinCluster,
	type NodeOptions,
	openSqliteStore,
	type PostgresSettings,
	type Store,
} from "@rivetkit/engine";
import type { Logger } from "../../log/logger.ts";
import { VERSION } from "../../utils/version.ts";
import type { DriverConfig } from "../driver.ts";

/** Where data goes when nothing is configured: beside the project (architecture, storage layout). */
export const DEFAULT_STORAGE_PATH = ".rivetkit";

export interface OpenedStore {
	readonly store: Store;
	/** Absolute; null when nothing is kept on this machine. */
	readonly dataDirectory: string | null;
	/** Null for a store of this process alone. */
	readonly node: ClusterNode | null;
}

/** Opens what the configuration asks for. Rejects with a `StoreError` that names the path or the server. */
export async function openStoreFor(config: {
	readonly driver?: DriverConfig | undefined;
	readonly database?: { readonly postgres: PostgresSettings } | undefined;
	readonly node?: NodeOptions;
	readonly storagePath?: string | undefined;
	readonly limits?: Partial<EngineLimits>;
	readonly log: Logger;
}): Promise<OpenedStore> {
	const { driver, database } = config;
	if (database !== undefined) {
		const node = await joinCluster({
			...database.postgres,
			...(config.node ? { node: config.node } : undefined),
			version: VERSION,
			logger: config.log as never,
			...(config.limits ? { limits: config.limits } : undefined),
		});
		return { store: node.store, dataDirectory: null, node };
	}
	if (driver?.name === "memory")
		return { store: createMemoryStore(), dataDirectory: null, node: null };
	const path = driver?.path ?? config.storagePath ?? DEFAULT_STORAGE_PATH;
	const dataDirectory = resolve(path);
	return { store: await openSqliteStore({ directory: dataDirectory }), dataDirectory, node: null };
}
