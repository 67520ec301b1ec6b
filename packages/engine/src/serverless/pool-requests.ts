import {
	type Clock,
	HEADER_ENDPOINT,
	HEADER_NAMESPACE_NAME,
	HEADER_RUNNER_NAME,
	HEADER_TOKEN,
	HEADER_TOTAL_SLOTS,
	type Random,
	type Timer,
} from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import { endpointOf, legalHeaders, type ServerlessPool } from "../pools/pool-config.ts";
import type { PoolAddress } from "../runners/pool-address.ts";
import type { RunnersHost } from "../runners/runners-host.ts";
import { HostFailure, type PoolError } from "./pool-error.ts";
import { RetryPause } from "./retry-pause.ts";
import type { ServerlessLimits } from "./serverless-limits.ts";
import { openStartStream } from "./start-stream.ts";

/** Deprecated, same as the name of the namespace (contract: engine 5.1). */
const HEADER_NAMESPACE_ID = "x-rivet-namespace-id";

export interface HostServices {
	readonly host: RunnersHost;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: EngineLogger;
	readonly limits: ServerlessLimits;
	/** Where hosts reach this engine. */
	readonly publicUrl: () => string;
	/** What runners of a namespace connect with. */
	readonly tokenFor: (namespace: string) => string | undefined;
}

/** One request to the host, which is a runner while it lasts. */
interface Start {
	readonly endpoint: string;
	readonly beganTs: number;
	readonly abort: AbortController;
	readonly timers: Timer[];
	runnerId: string | null;
	isDraining: boolean;
}

/**
 * The requests of one pool: as many as its actors need (contract: engine 5.3, 5.5).
 *
 * - W1. A request that is to end gives its actors away first; its successor is ordered at the same time.
 * - W2. No request outlives its lifespan.
 * - W3. A host that fails is asked again after a pause that grows; so is one whose runner goes to another node.
 */
export class PoolRequests {
	readonly #pool: PoolAddress;
	readonly #services: HostServices;
	readonly #starts = new Set<Start>();
	#pause: RetryPause;
	#config: ServerlessPool | null;
	#retry: Timer | undefined;
	#successes = 0;
	#isAdjusting = false;
	#isToAdjust = false;
	/** Why starts fail; undefined while they do not. */
	error: PoolError | undefined;

	constructor(pool: PoolAddress, config: ServerlessPool, services: HostServices) {
		this.#pool = pool;
		this.#config = config;
		this.#services = services;
		this.#pause = this.#newPause();
	}

	get config(): ServerlessPool | null {
		return this.#config;
	}

	/** Requests that are open, draining ones included. */
	get size(): number {
		return this.#starts.size;
	}

	/** Null: there is no such pool any more, its requests drain. */
	configure(config: ServerlessPool | null): void {
		const before = this.#config;
		this.#config = config;
		if (config !== null && before !== null && endpointOf(config) !== endpointOf(before)) {
			// Another host has not failed yet.
			this.#pause = this.#newPause();
		}
		this.adjust();
	}

	/** Lets go of everything. */
	close(): void {
		this.#config = null;
		this.#retry?.stop();
		for (const start of this.#starts) start.abort.abort();
	}

	/** Opens what is missing, drains what is too much, lets go of what is over. */
	adjust(): void {
		// Draining changes what is counted, and may end a runner at once.
		this.#isToAdjust = true;
		if (this.#isAdjusting) return;
		this.#isAdjusting = true;
		try {
			while (this.#isToAdjust) {
				this.#isToAdjust = false;
				this.#adjust();
			}
		} finally {
			this.#isAdjusting = false;
		}
	}

	#newPause(): RetryPause {
		const { clock, random, limits } = this.#services;
		return new RetryPause(clock, random, limits, () => limits.retryBaseMs);
	}

	#adjust(): void {
		const { host } = this.#services;
		const endpoint = this.#config && endpointOf(this.#config);
		for (const start of this.#starts) {
			const isGone = start.runnerId !== null && host.runner(start.runnerId) === undefined;
			if (isGone) start.abort.abort();
			else if (start.endpoint !== endpoint) this.#drain(start);
		}
		const active = [...this.#starts].filter(
			({ isDraining, abort }) => !isDraining && !abort.signal.aborted,
		);
		const missing = this.#wanted() - active.length;
		if (missing < 0) {
			const load = ({ runnerId }: Start) =>
				(runnerId !== null && host.runner(runnerId)?.actors.size) || 0;
			const emptiest = active.sort((a, b) => load(a) - load(b)).slice(0, -missing);
			for (const start of emptiest) this.#drain(start);
		} else if (missing > 0) {
			this.#openAll(missing);
		}
	}

	#wanted(): number {
		const config = this.#config;
		if (config === null) return 0;
		const slots = this.#services.host.slotsWanted(this.#pool);
		const needed = config.runnersMargin + Math.ceil(slots / config.slotsPerRunner);
		const max = Math.min(config.runnersMax, this.#services.limits.runnersMax);
		return Math.min(max, Math.max(config.runnersMin, needed));
	}

	#openAll(count: number): void {
		const { clock } = this.#services;
		this.#retry?.stop();
		this.#retry = undefined;
		const pauseMs = this.#pause.retryTs - clock.now();
		if (pauseMs > 0) {
			this.#retry = clock.after(pauseMs, () => this.adjust());
			return;
		}
		for (let opened = 0; opened < count; opened++) this.#open(this.#config!);
	}

	#open(config: ServerlessPool): void {
		const { clock, logger } = this.#services;
		const pause = this.#pause;
		const start: Start = {
			endpoint: endpointOf(config),
			beganTs: clock.now(),
			abort: new AbortController(),
			timers: [
				clock.after(config.lifespanMs - config.graceMs, () => {
					this.#drain(start);
					this.adjust();
				}),
				clock.after(config.lifespanMs, () => this.#end(start)),
			],
			runnerId: null,
			isDraining: false,
		};
		this.#starts.add(start);
		openStartStream({
			url: config.url,
			headers: this.#headers(config),
			signal: start.abort.signal,
			greeted: (runnerId) => this.#greeted(start, runnerId),
		})
			.catch((failure: unknown) => {
				const { pool, namespace } = this.#pool;
				logger.warn({ pool, namespace, err: failure }, "a request to a serverless host failed");
				this.error = failure instanceof HostFailure ? failure.poolError : "internal_error";
				this.#successes = 0;
				pause.failed(start.beganTs);
			})
			.finally(() => {
				for (const timer of start.timers) timer.stop();
				this.#starts.delete(start);
				this.adjust();
			});
	}

	#headers(config: ServerlessPool): Record<string, string> {
		const { publicUrl, tokenFor } = this.#services;
		const { namespace, pool } = this.#pool;
		const token = tokenFor(namespace);
		return {
			...legalHeaders(config.headers),
			accept: "text/event-stream",
			[HEADER_ENDPOINT]: publicUrl(),
			...(token === undefined ? {} : { [HEADER_TOKEN]: token }),
			[HEADER_TOTAL_SLOTS]: String(config.slotsPerRunner),
			[HEADER_RUNNER_NAME]: pool,
			[HEADER_NAMESPACE_NAME]: namespace,
			[HEADER_NAMESPACE_ID]: namespace,
		};
	}

	/** Throws a {@link HostFailure} when the runner has not come here. */
	#greeted(start: Start, runnerId: string): void {
		const { host, publicUrl } = this.#services;
		if (host.runner(runnerId) === undefined) {
			throw new HostFailure({
				serverless_connection_error: {
					message:
						`the host's runner ${runnerId} is not connected to this engine: ${publicUrl()} (public_url), ` +
						"which hosts dial back to, must lead to this very node",
				},
			});
		}
		start.runnerId = runnerId;
		this.#successes++;
		if (this.#successes >= this.#services.limits.successesToClear) this.error = undefined;
		if (start.isDraining) host.dismiss(runnerId, true);
		this.adjust();
	}

	#drain(start: Start): void {
		if (start.isDraining) return;
		start.isDraining = true;
		if (start.runnerId === null) start.abort.abort();
		else this.#services.host.dismiss(start.runnerId, true);
	}

	/** Its time is over, whatever it still has. */
	#end(start: Start): void {
		if (start.runnerId !== null) this.#services.host.evict(start.runnerId);
		start.abort.abort();
	}
}
