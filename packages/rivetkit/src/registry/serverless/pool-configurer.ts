import { type Clock, joinUrl, type Timer } from "@rivetkit/protocol";
import type { Logger } from "../../log/logger.ts";
import type { RunnerPoolConfig } from "../config/registry-config.types.ts";

/** Pauses between attempts: doubled from the first to the last (ms). */
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;
/** How long one attempt may take (ms). */
const TIMEOUT_MS = 10_000;
/** Before its end a request gives its actors to the next one: seconds, and at most a part of its lifespan. */
const GRACE_S_MAX = 10;
const GRACE_SHARE = 1 / 4;

export interface PoolConfigurerOptions {
	readonly engine: {
		readonly endpoint: string;
		readonly namespace: string;
		readonly token: string | undefined;
	};
	/** The application's own, on every call to the engine. */
	readonly headers: Readonly<Record<string, string>>;
	readonly pool: RunnerPoolConfig;
	readonly clock: Clock;
	readonly log: Logger;
}

/**
 * Tells the engine where it finds this host: writes the configuration of its pool in every datacenter
 * (`serverless.configureRunnerPool`; contract: engine 2.6). Tries again while the engine cannot be reached; what it
 * refuses is logged.
 */
export class PoolConfigurer {
	readonly #options: PoolConfigurerOptions;
	#timer: Timer | null = null;
	#isStopped = false;

	constructor(options: PoolConfigurerOptions) {
		this.#options = options;
	}

	start(): void {
		void this.#attempt(RETRY_FIRST_MS);
	}

	stop(): void {
		this.#isStopped = true;
		this.#timer?.stop();
	}

	async #attempt(pauseMs: number): Promise<void> {
		const { log, clock, pool } = this.#options;
		try {
			await this.#configure();
			log.info({ pool: pool.name, url: pool.url }, "the engine knows this serverless host");
		} catch (error) {
			if (this.#isStopped) return;
			if (error instanceof Refused) {
				log.error({ pool: pool.name, err: error }, "the engine refuses the pool of this host");
				return;
			}
			log.warn({ pool: pool.name, err: error }, "the engine could not be told of this host");
			this.#timer = clock.after(pauseMs, () => {
				void this.#attempt(Math.min(pauseMs * 2, RETRY_LAST_MS));
			});
		}
	}

	async #configure(): Promise<void> {
		const { pool } = this.#options;
		const { datacenters } = (await this.#call("GET", "/datacenters")) as {
			datacenters: readonly { readonly name: string }[];
		};
		const config = configOf(pool);
		await this.#call("PUT", `/runner-configs/${encodeURIComponent(pool.name)}`, {
			datacenters: Object.fromEntries(datacenters.map(({ name }) => [name, config])),
		});
	}

	async #call(method: string, path: string, body?: object): Promise<unknown> {
		const { engine, headers } = this.#options;
		const { endpoint, namespace, token } = engine;
		const response = await fetch(joinUrl(endpoint, path, { namespace }), {
			method,
			headers: {
				...headers,
				...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
				"content-type": "application/json",
			},
			...(body && { body: JSON.stringify(body) }),
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		const text = await response.text();
		if (response.ok) return JSON.parse(text);
		const message = `${method} ${path}: ${response.status} ${text}`;
		throw response.status < 500 ? new Refused(message) : new Error(message);
	}
}

class Refused extends Error {}

function configOf(pool: RunnerPoolConfig): object {
	return {
		serverless: {
			url: pool.url,
			headers: pool.headers,
			request_lifespan: pool.requestLifespan,
			drain_grace_period: Math.floor(Math.min(GRACE_S_MAX, pool.requestLifespan * GRACE_SHARE)),
			slots_per_runner: pool.slotsPerRunner,
			max_runners: pool.maxRunners,
			min_runners: pool.minRunners,
			runners_margin: pool.runnersMargin,
			metadata_poll_interval: pool.metadataPollInterval,
		},
		...(pool.metadata === undefined ? {} : { metadata: pool.metadata }),
		drain_on_version_upgrade: pool.drainOnVersionUpgrade,
	};
}
