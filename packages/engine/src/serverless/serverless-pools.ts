import { catalogueError } from "@rivetkit/protocol";
import type { ActorNames } from "../pools/actor-names.ts";
import { endpointOf, type PoolConfig, type ServerlessPool } from "../pools/pool-config.ts";
import type { PoolAddress } from "../runners/pool-address.ts";
import type { RunnerSupply } from "../runners/runners-host.ts";
import { fetchHostMetadata, type HostMetadata } from "./host-metadata.ts";
import { MetadataPoll } from "./metadata-poll.ts";
import { type HostServices, PoolRequests } from "./pool-requests.ts";

export interface ServerlessPoolsOptions extends HostServices {
	readonly names: ActorNames;
	readonly configOf: (pool: PoolAddress) => Promise<PoolConfig | undefined>;
}

interface Served {
	readonly pool: PoolAddress;
	readonly requests: PoolRequests;
	readonly poll: MetadataPoll;
	config: ServerlessPool;
}

/** All pools whose runners this engine starts by requests (contract: engine 5). */
export class ServerlessPools implements RunnerSupply {
	readonly #options: ServerlessPoolsOptions;
	readonly #served = new Map<string, Served>();
	/** Of pools that are configured otherwise now, or not at all. */
	readonly #leaving = new Set<PoolRequests>();
	#isStopping = false;

	constructor(options: ServerlessPoolsOptions) {
		this.#options = options;
	}

	/** A pool is configured in another way. */
	configured(pool: PoolAddress, config: PoolConfig | undefined): void {
		if (this.#isStopping) return;
		const served = this.#served.get(idOf(pool));
		if (config?.kind !== "serverless") {
			if (served !== undefined) this.#leave(served);
			return;
		}
		if (served === undefined) {
			const added = this.#add(pool, config);
			added.requests.adjust();
			return;
		}
		const isPolledAnew =
			endpointOf(served.config) !== endpointOf(config) ||
			served.config.metadataPollMs !== config.metadataPollMs;
		served.config = config;
		served.requests.configure(config);
		if (isPolledAnew) void served.poll.ask(config);
	}

	changed(pool: PoolAddress): void {
		if (this.#isStopping) return;
		this.#served.get(idOf(pool))?.requests.adjust();
		for (const requests of this.#leaving) {
			requests.adjust();
			if (requests.size === 0) this.#leaving.delete(requests);
		}
	}

	errorOf(pool: PoolAddress): unknown {
		return this.#served.get(idOf(pool))?.requests.error;
	}

	/** Those of a namespace that fail, and why. */
	errorsOf(namespace: string): (readonly [pool: string, error: unknown])[] {
		return [...this.#served.values()]
			.filter(({ pool, requests }) => pool.namespace === namespace && requests.error !== undefined)
			.map(({ pool, requests }) => [pool.pool, requests.error] as const);
	}

	/** Asks a pool's host what it has. Throws `runner_config.not_found`. */
	async refresh(pool: PoolAddress): Promise<void> {
		const config = await this.#options.configOf(pool);
		const served = this.#served.get(idOf(pool));
		if (config?.kind !== "serverless" || served === undefined) {
			throw catalogueError("runner_config.not_found");
		}
		await served.poll.ask(config);
	}

	/** The answer of the health check (contract: engine 5.4). */
	async check(url: string, headers: Readonly<Record<string, string>>): Promise<unknown> {
		const answer = await fetchHostMetadata(url, headers);
		return "success" in answer
			? { success: { version: answer.success.version } }
			: { failure: { error: answer.failure } };
	}

	/** Requests that are open, by whether their pool is failing. */
	get requestCount(): number {
		return [...this.#served.values()].reduce((sum, { requests }) => sum + requests.size, 0);
	}

	/** Pools whose last start failed. */
	get failingCount(): number {
		return [...this.#served.values()].filter(({ requests }) => requests.error !== undefined).length;
	}

	/** Opens and drains nothing more: everything is about to end. */
	stop(): void {
		this.#isStopping = true;
	}

	/** Lets go of all hosts. */
	close(): void {
		this.stop();
		for (const { requests, poll } of this.#served.values()) {
			poll.close();
			requests.close();
		}
		for (const requests of this.#leaving) requests.close();
	}

	#add(pool: PoolAddress, config: ServerlessPool): Served {
		const { host, names } = this.#options;
		const learnt = async ({ actorNames, runnerVersion }: HostMetadata) => {
			await names.announce(pool.namespace, actorNames);
			const isDrained = this.#served.get(idOf(pool))?.config.drainsOnUpgrade;
			if (isDrained && runnerVersion !== undefined) host.drainOlder(pool, runnerVersion);
		};
		const served: Served = {
			pool,
			config,
			requests: new PoolRequests(pool, config, this.#options),
			poll: new MetadataPoll(config, this.#options, learnt),
		};
		this.#served.set(idOf(pool), served);
		void served.poll.ask();
		return served;
	}

	#leave({ pool, requests, poll }: Served): void {
		this.#served.delete(idOf(pool));
		poll.close();
		requests.configure(null);
		if (requests.size > 0) this.#leaving.add(requests);
	}
}

function idOf({ namespace, pool }: PoolAddress): string {
	return JSON.stringify([namespace, pool]);
}
