import type { Clock, Timer } from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import type { Inventory } from "../store/inventory.ts";
import {
	endpointOf,
	NORMAL_POOL,
	type PoolConfig,
	type PoolConfigJson,
	poolConfigOf,
} from "./pool-config.ts";

/** How often the configurations are read again: other nodes may have changed them (ms). */
const RELOAD_MS = 5_000;

/** One pool of one namespace. */
export interface Pool {
	readonly namespace: string;
	readonly name: string;
	readonly config: PoolConfig;
}

export interface PoolsOptions {
	readonly inventory: Inventory;
	readonly clock: Clock;
	readonly logger: EngineLogger;
	/** Told of each pool whose configuration is another one now; without one it is gone. */
	readonly changed: (namespace: string, name: string, config: PoolConfig | undefined) => void;
}

/**
 * How the pools are configured. All of them are in memory, because placement and the gateway ask at every
 * step; what is stored is read again every few seconds, and whenever something is not found.
 */
export class Pools {
	readonly #options: PoolsOptions;
	readonly #pools = new Map<string, Pool>();
	readonly #texts = new Map<string, string>();
	#timer: Timer | undefined;
	#isClosed = false;

	constructor(options: PoolsOptions) {
		this.#options = options;
	}

	/** Reads them, and goes on doing so. */
	async start(): Promise<void> {
		await this.#reload();
		this.#reloadLater();
	}

	close(): void {
		this.#isClosed = true;
		this.#timer?.stop();
	}

	get(namespace: string, name: string): PoolConfig | undefined {
		return this.#pools.get(idOf(namespace, name))?.config;
	}

	all(): Iterable<Pool> {
		return this.#pools.values();
	}

	/** As {@link get}, from the store when it is not known here. */
	async find(namespace: string, name: string): Promise<PoolConfig | undefined> {
		const known = this.get(namespace, name);
		if (known !== undefined) {
			return known;
		}
		const entry = await this.#options.inventory.get("pool", namespace, name);
		if (entry === undefined) {
			return undefined;
		}
		this.#set(namespace, name, entry.value);
		return this.get(namespace, name);
	}

	/** In the order of names, strictly after `after`. */
	async list(namespace: string, limit: number, after?: string): Promise<Pool[]> {
		const entries = await this.#options.inventory.listByName("pool", namespace, limit, after);
		return entries.map(({ name, value }) => ({ namespace, name, config: readConfig(value) }));
	}

	/** Tells whether what is asked for at the host is new or another one (contract: engine 2.6). */
	async put(namespace: string, name: string, json: PoolConfigJson): Promise<boolean> {
		const before = await this.find(namespace, name);
		const value = JSON.stringify(json);
		await this.#options.inventory.put({
			kind: "pool",
			scope: namespace,
			name,
			value,
			createTs: this.#options.clock.now(),
		});
		this.#set(namespace, name, value);
		const config = poolConfigOf(json);
		return !(
			before?.kind === "serverless" &&
			config.kind === "serverless" &&
			endpointOf(before) === endpointOf(config)
		);
	}

	/** A runner of a pool has come that nobody has configured. */
	async ensure(namespace: string, name: string): Promise<void> {
		if ((await this.find(namespace, name)) !== undefined) {
			return;
		}
		const { inventory, clock } = this.#options;
		const value = JSON.stringify({ ...NORMAL_POOL, drain_on_version_upgrade: false });
		await inventory.insert({
			kind: "pool",
			scope: namespace,
			name,
			value,
			createTs: clock.now(),
		});
		await this.find(namespace, name);
	}

	async delete(namespace: string, name: string): Promise<void> {
		await this.#options.inventory.delete("pool", namespace, name);
		this.#drop(namespace, name);
	}

	#reloadLater(): void {
		const { clock, logger } = this.#options;
		this.#timer = clock.after(RELOAD_MS, () => {
			this.#reload()
				.catch((error: unknown) =>
					logger.warn({ err: error }, "the configurations of pools could not be read again"),
				)
				.finally(() => {
					if (!this.#isClosed) this.#reloadLater();
				});
		});
	}

	async #reload(): Promise<void> {
		const before = new Map(this.#texts);
		const entries = await this.#options.inventory.listKind("pool");
		// What was written here meanwhile is newer than what was read.
		const isUnchanged = (id: string) => this.#texts.get(id) === before.get(id);
		const read = new Set<string>();
		for (const { scope, name, value } of entries) {
			const id = idOf(scope, name);
			read.add(id);
			if (isUnchanged(id)) this.#set(scope, name, value);
		}
		for (const [id, { namespace, name }] of [...this.#pools]) {
			if (!read.has(id) && isUnchanged(id)) this.#drop(namespace, name);
		}
	}

	#set(namespace: string, name: string, value: string): void {
		const id = idOf(namespace, name);
		if (this.#texts.get(id) === value) {
			return;
		}
		const config = readConfig(value);
		this.#texts.set(id, value);
		this.#pools.set(id, { namespace, name, config });
		this.#options.changed(namespace, name, config);
	}

	#drop(namespace: string, name: string): void {
		const id = idOf(namespace, name);
		this.#texts.delete(id);
		if (this.#pools.delete(id)) {
			this.#options.changed(namespace, name, undefined);
		}
	}
}

function readConfig(value: string): PoolConfig {
	return poolConfigOf(JSON.parse(value) as PoolConfigJson);
}

function idOf(namespace: string, name: string): string {
	return JSON.stringify([namespace, name]);
}
