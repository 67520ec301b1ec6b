import type { Clock, Timer } from "@rivetkit/protocol";
import type { ToServerInit } from "@rivetkit/protocol/runner";
import type { EngineLogger } from "../common/logger.ts";
import type { PoolConfig } from "../pools/pool-config.ts";
import type { RunnerFailureKind } from "./failure-notes.ts";
import type { PoolAddress } from "./pool-address.ts";
import type { RunnerIncarnations } from "./runner-incarnations.ts";
import type { KeptRunner, RunnerLedger } from "./runner-ledger.ts";
import type { RunnerLimits } from "./runner-limits.ts";
import { type ConnectingRunner, RunnerRecord, type RunnerSocket } from "./runner-record.ts";
import type { RunnerRoster } from "./runner-roster.ts";

export interface RunnerFleetOptions {
	readonly clock: Clock;
	readonly newId: () => string;
	readonly logger: EngineLogger;
	readonly limits: RunnerLimits;
	/** A runner that this process did not know has connected: nobody else has it any more. */
	readonly came: (pool: PoolAddress, key: string, version: number) => void;
	/** Names that runners announce. */
	readonly announced: (
		namespace: string,
		names: ReadonlyMap<string, { readonly metadata: string }>,
	) => void;
	/** How a pool is configured, if it is. */
	readonly poolConfig: (pool: PoolAddress) => PoolConfig | undefined;
	/** A runner of a pool has come that is not configured. */
	readonly poolAppeared: (pool: PoolAddress) => void;
	readonly roster: RunnerRoster;
	readonly incarnations: RunnerIncarnations;
	/** Undefined where nothing is kept of runners. */
	readonly ledger: RunnerLedger | undefined;
	/** A runner has a socket: what waits for that can be sent. */
	readonly reconnected: (runner: RunnerRecord) => void;
	/** There may be a free slot more. */
	readonly serve: () => void;
	/** The runners of a pool, or what they have, are others than before. */
	readonly changed: (pool: PoolAddress) => void;
}

/**
 * How runners come, stay and go (contract: engine 4.4, 4.7, 4.13, 7).
 *
 * N3. A runner that was not heard of for its threshold has lost its actors.
 */
export class RunnerFleet {
	readonly #options: RunnerFleetOptions;
	#sweep: Timer | null = null;

	constructor(options: RunnerFleetOptions) {
		this.#options = options;
	}

	/** Pings the runners from now on, and notices those that are lost. */
	watch(): void {
		this.#sweep = this.#options.clock.after(this.#options.limits.pingIntervalMs, this.#look);
	}

	/** Runners of an earlier process of this engine: they have their time to come back. */
	resume({ who, init, createTs }: KeptRunner): RunnerRecord {
		const { clock, limits, roster } = this.#options;
		const runner = new RunnerRecord(who, init, clock.now(), limits, createTs);
		runner.metadata = init.metadata;
		runner.isKept = true;
		roster.add(runner);
		return runner;
	}

	/** Closes the sockets of all runners; those come back to the next engine. */
	close(): void {
		this.#sweep?.stop();
		for (const { socket, drainEnd } of this.#options.roster.all) {
			drainEnd?.stop();
			socket?.close(1011, "ws.going_away");
		}
	}

	/**
	 * The record behind an Init: the one of this key, if it lives, else a new one (contract: engine 4.4). Of a process that is
	 * known to be another one than before, the key is all that is left: what the first one ran is lost with it.
	 */
	connected(who: ConnectingRunner, init: ToServerInit, socket: RunnerSocket): RunnerRecord {
		const { namespace, key, processId } = who;
		const { clock, newId, limits, roster } = this.#options;
		const now = clock.now();
		const pool: PoolAddress = { namespace, pool: init.name };
		let runner = roster.withKey(pool, key);
		const before = runner?.processId ?? null;
		if (runner && processId !== null && before !== null && processId !== before) {
			this.#remove(runner, "ws.eviction");
			runner = undefined;
		}
		if (runner?.socket) runner.socket.close(1000, "ws.eviction");
		const isNew = runner === undefined;
		if (isNew) this.#options.came(pool, key, init.version);
		runner ??= new RunnerRecord({ ...who, runnerId: newId() }, init, now, limits);
		roster.add(runner);
		runner.socket = socket;
		runner.lastPongTs = now;
		runner.lastConnectedTs = now;
		const isTold = isNew || runner.metadata !== init.metadata;
		runner.metadata = init.metadata;
		// One that was asked for by a request does not outlive the request, nor that the engine.
		runner.isKept = this.#options.poolConfig(pool)?.kind !== "serverless";
		if (isTold && runner.isKept) this.#options.ledger?.came(runner);
		try {
			this.#welcome(runner, init, socket, isNew);
		} catch (error) {
			// Its socket is about to be closed, and is nobody's.
			if (runner.socket === socket) runner.socket = null;
			throw error;
		}
		return runner;
	}

	#welcome(runner: RunnerRecord, init: ToServerInit, socket: RunnerSocket, isNew: boolean): void {
		const { limits, logger } = this.#options;
		const { namespace } = runner;
		const pool: PoolAddress = { namespace, pool: runner.pool };
		if (init.prepopulateActorNames) {
			this.#options.announced(namespace, init.prepopulateActorNames);
		}
		const config = this.#options.poolConfig(pool);
		if (config === undefined) this.#options.poolAppeared(pool);
		socket.send({
			tag: "ToClientInit",
			val: {
				runnerId: runner.runnerId,
				metadata: {
					runnerLostThreshold: limits.runnerLostThresholdMs,
					actorStopThreshold: limits.actorStopThresholdMs,
					serverlessDrainGracePeriod: config?.kind === "serverless" ? config.graceMs : undefined,
				},
			},
		});
		if (runner.commands.length > 0) {
			socket.send({ tag: "ToClientCommands", val: runner.commands });
		}
		this.#options.reconnected(runner);
		logger.info(
			{ runnerId: runner.runnerId, pool: runner.pool, version: socket.version },
			"a runner has connected",
		);
		if (isNew && config?.drainsOnUpgrade) this.drainOlder(pool, init.version);
		this.#options.serve();
		this.#options.changed(pool);
	}

	disconnected(runner: RunnerRecord, socket: RunnerSocket): void {
		if (runner.socket !== socket) return;
		runner.socket = null;
		if (runner.drainTs !== null && runner.actors.size === 0) this.#remove(runner, null);
		this.#options.changed(runner);
	}

	answeredPing(runner: RunnerRecord, pingTs: number): void {
		runner.lastPongTs = this.#options.clock.now();
		runner.lastRttMs = Math.max(0, runner.lastPongTs - pingTs);
		runner.ends.answered(pingTs);
	}

	/** A newer version is there: runners of older ones give their actors away (contract: engine 7.4). */
	drainOlder(pool: PoolAddress, version: number): void {
		for (const runner of this.#options.roster.in(pool)) {
			if (runner.version < version) this.dismiss(runner.runnerId);
		}
	}

	/**
	 * Sends a runner away: it takes no actors any more, gives away those it has, and is over when it is empty, or
	 * when they have had their time to stop (contract: engine 4.13, Q16).
	 *
	 * @param resetsFailures - their moves do not count as crashes, and neither do those before
	 */
	dismiss(runnerId: string, resetsFailures = false): void {
		const runner = this.#options.roster.get(runnerId);
		if (!runner) return;
		runner.isDismissed = true;
		this.drain(runner, resetsFailures);
		this.endDismissed(runner);
	}

	/** The runner is over now, whatever it still has. */
	evict(runnerId: string): void {
		const runner = this.#options.roster.get(runnerId);
		if (runner) this.#remove(runner, "ws.eviction", "runner_draining_timeout");
	}

	/** The runner has connected to another node: its actors go on there, or wherever there is room. */
	moved(pool: PoolAddress, key: string): void {
		for (const runner of this.#options.roster.in(pool)) {
			if (runner.key === key) this.#remove(runner, "ws.eviction");
		}
	}

	/** It takes no actors any more, and those it has are to stop. */
	drain(runner: RunnerRecord, resetsFailures = false): void {
		const { clock, limits, roster, incarnations, changed } = this.#options;
		if (runner.drainTs === null) {
			roster.drains(runner);
			this.#forgetKept(runner);
			runner.drainEnd = clock.after(limits.actorStopThresholdMs, () => this.evict(runner.runnerId));
		}
		for (const hosted of incarnations.on(runner)) {
			hosted.isLeaving = true;
			hosted.resetsFailures ||= resetsFailures;
			incarnations.stopSoon(hosted);
		}
		changed(runner);
	}

	/** One of its incarnations is over. */
	freed(runner: RunnerRecord): void {
		this.#options.serve();
		this.#clearBacklog(runner);
		const isEmpty = runner.drainTs !== null && runner.actors.size === 0;
		if (isEmpty && runner.socket === null) this.#remove(runner, null);
		else this.endDismissed(runner);
		this.#options.changed(runner);
	}

	/** One that was sent away is over when it is empty. */
	endDismissed(runner: RunnerRecord): void {
		if (runner.isDismissed && runner.actors.size === 0) this.#remove(runner, "ws.eviction");
	}

	/** The runner is no more, and what it still has is lost. */
	#remove(
		runner: RunnerRecord,
		closeReason: "ws.eviction" | "ws.ping_timeout" | null,
		why: RunnerFailureKind = "runner_connection_lost",
	): void {
		const { roster, incarnations, changed } = this.#options;
		if (!roster.remove(runner)) return;
		this.#forgetKept(runner);
		const { socket } = runner;
		runner.drainEnd?.stop();
		runner.socket = null;
		runner.commands = [];
		for (const hosted of incarnations.on(runner)) incarnations.lost(hosted, why);
		this.#clearBacklog(runner);
		if (closeReason !== null) {
			socket?.close(closeReason === "ws.eviction" ? 1000 : 1011, closeReason);
		}
		changed(runner);
	}

	#forgetKept(runner: RunnerRecord): void {
		runner.isKept = false;
		this.#options.ledger?.gone(runner);
	}

	/**
	 * Until its last actor is over, it tells what a runner that is no more has not heard of. It is listed for long after, but
	 * nobody comes back as it.
	 */
	#clearBacklog(runner: RunnerRecord): void {
		if (runner.stopTs === null || runner.actors.size > 0) return;
		runner.backlog.clear();
		runner.ends.clear();
		runner.givenUp.clear();
		runner.commands = [];
	}

	readonly #look = (): void => {
		const { clock, limits, logger, roster } = this.#options;
		const now = clock.now();
		for (const runner of roster.all) {
			if (now - runner.lastPongTs <= limits.runnerLostThresholdMs) {
				if (runner.socket?.send({ tag: "ToClientPing", val: { ts: now } })) runner.ends.pinged(now);
				continue;
			}
			logger.warn(
				{ runnerId: runner.runnerId, actors: runner.actors.size },
				"a runner was lost, and its actors with it",
			);
			this.#remove(runner, "ws.ping_timeout");
		}
		this.watch();
	};
}
