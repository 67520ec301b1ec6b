import { resolve } from "node:path";
import {
	type ActorHost,
	type Clock,
	catalogueError,
	DEFAULT_ENDPOINT,
	type HostEvents,
	type Random,
	systemClock,
	systemRandom,
} from "@rivetkit/protocol";
import type { ActorBackend } from "../backends/backend.ts";
import {
	callingActor,
	inProcessClient,
	TIMER_RESOLUTION_MS,
} from "../backends/embedded/embedded.ts";
import type { ManagerDriver } from "../backends/manager.ts";
import { getLogger } from "../log/base-logger.ts";
import type { Logger } from "../log/logger.ts";
import type { RegistryConfig } from "../registry/config/registry-config.ts";
import { definitionsOf } from "../registry/definitions.ts";
import { exposeErrors } from "../registry/local-runtime.ts";
import { TurnScheduler } from "../runtime/commit/turn-scheduler.ts";
import { DatabasePool } from "../runtime/database/database-pool.ts";
import { RuntimeHost } from "../runtime/host/runtime-host.ts";
import { startTelemetry } from "../runtime/telemetry/open-telemetry.ts";
import { TimerWheel } from "../runtime/timers/timer-wheel.ts";

export interface ActorHostOptions {
	/** What the actors stand on. */
	readonly backend: ActorBackend;
	/** Where `c.client()` leads; without one it throws `feature.unsupported`. */
	readonly manager?: ManagerDriver;
	/** Public address for `getGatewayUrl()` of `c.client()`. Default `http://127.0.0.1:6420`. */
	readonly publicUrl?: () => string;
	readonly log?: Logger;
	/** Default: the system's. */
	readonly clock?: Clock;
	/** Default: the system's. */
	readonly random?: Random;
}

/** The live actors of one process, for whoever places them. Inspecting them takes a token. */
export interface HostedActors extends ActorHost {
	/** Whom to tell when an incarnation begins to stop and when it is gone; once, before the first start. */
	attach(events: HostEvents): void;
	/** Ids of the actors that are live now. */
	readonly liveActorIds: string[];
	/** Commits what the live actors have written. Resolves when all of it is durable or has failed. */
	flush(): Promise<void>;
}

/**
 * Runs the actors of a registry on a backend of the caller's own: `start` takes an assignment, then
 * `request` and `openSocket` carry calls. The caller keeps the rules of `ActorHost` (H1, H2).
 *
 * @param config - `registry.parseConfig()`
 */
export function createActorHost(config: RegistryConfig, options: ActorHostOptions): HostedActors {
	const { backend, manager, log = getLogger(), publicUrl = () => DEFAULT_ENDPOINT } = options;
	const clock = options.clock ?? systemClock();
	const random = options.random ?? systemRandom();
	return new RuntimeHost(
		{
			backend,
			databases: new DatabasePool({
				dataDirectory: config.storagePath === undefined ? null : resolve(config.storagePath),
				openMax: config.maxOpenDatabases,
				log,
			}),
			clock,
			random,
			timers: new TimerWheel(clock, { resolutionMs: TIMER_RESOLUTION_MS }),
			alarms: new TimerWheel(clock, { resolutionMs: 1 }),
			turns: new TurnScheduler(),
			log,
			limits: config,
			// Whose callers these are, only the caller's server knows.
			telemetry: startTelemetry(
				{ traces: config.traces, metrics: config.metrics.enabled },
				{ clock, random, log },
			),
			inspection: { ...config.inspector, isOpen: () => false },
			exposeErrors,
			createClient: (owner) => {
				if (!manager) {
					throw catalogueError("feature.unsupported", {
						feature: "c.client() of a host that was made without a manager",
					});
				}
				const environment = { clock, random, log, publicUrl, exposeErrors };
				return inProcessClient(manager, callingActor(owner), environment);
			},
		},
		definitionsOf(config.use),
	);
}
