import { randomUUID } from "node:crypto";
import { ErrorAnswers } from "@rivetkit/engine";
import type { Clock, Random } from "@rivetkit/protocol";
import { displayMetadata, type ErasedActorConfig } from "../../actor/erased.ts";
import { createHttpClient } from "../../client/create-client.ts";
import type { Logger } from "../../log/logger.ts";
import { TurnScheduler } from "../../runtime/commit/turn-scheduler.ts";
import { DatabasePool } from "../../runtime/database/database-pool.ts";
import { RuntimeHost } from "../../runtime/host/runtime-host.ts";
import {
	type HostServices,
	type MessageLimits,
	messageLimitsOf,
} from "../../runtime/host/services.ts";
import type { InspectionConfig } from "../../runtime/inspector/inspection-config.ts";
import type { TelemetryConfig } from "../../runtime/telemetry/host-telemetry.ts";
import { startTelemetry } from "../../runtime/telemetry/open-telemetry.ts";
import { TimerWheel } from "../../runtime/timers/timer-wheel.ts";
import { Runner } from "./runner.ts";
import type { Welcome } from "./runner-link.ts";

/** How far apart the deadlines of one host may be moved to share a timer (ms). */
const TIMER_RESOLUTION_MS = 10;

/** The engine that actors stand on. */
export interface EngineAddress {
	/** Without credentials. */
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	readonly headers: Readonly<Record<string, string>>;
}

export interface StartRunnerOptions {
	readonly engine: EngineAddress;
	readonly definitions: ReadonlyMap<string, ErasedActorConfig>;
	/** The pool. */
	readonly runnerName: string;
	/** Default: random, one per process and start. */
	readonly runnerKey: string | undefined;
	readonly totalSlots: number;
	/** Of the users' code: actors move to higher ones. */
	readonly codeVersion: number;
	/** Of this package. */
	readonly version: string;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Logger;
	readonly messageLimits: MessageLimits;
	readonly maxOpenDatabases: number;
	readonly checksReplays: boolean;
	readonly inspection: InspectionConfig;
	readonly telemetry: TelemetryConfig;
	readonly exposeErrors: () => boolean;
}

/** The actors of one runner in this process. */
export interface RunningRunner {
	readonly host: RuntimeHost;
	/** What the engine says about this runner; pending until it has answered. */
	welcome(): Promise<Welcome>;
	/** Resolves when the runner is gone for good: closed, or evicted by the engine. */
	readonly ended: Promise<void>;
	/** Stops all actors and leaves the engine. Idempotent. */
	close(): Promise<void>;
}

/** Connects to an engine and hosts what it places here (contract: engine 4). Goes on until it is closed. */
export function startRunner(options: StartRunnerOptions): RunningRunner {
	const { engine, definitions, clock, random, log, exposeErrors, runnerName } = options;
	const { endpoint, namespace, token, headers } = engine;
	const telemetry = startTelemetry(options.telemetry, { clock, random, log });
	// Databases are copies of what the engine has; another runner may open the same one next.
	const databases = new DatabasePool({
		dataDirectory: null,
		openMax: options.maxOpenDatabases,
		log,
	});
	const answers = new ErrorAnswers(log as never, exposeErrors);
	const runner = new Runner(
		{
			...engine,
			runnerKey: options.runnerKey ?? randomUUID(),
			// Nobody tells a runner where it is (contract: api 2).
			region: "unknown",
			init: {
				name: runnerName,
				version: options.codeVersion,
				totalSlots: options.totalSlots,
				prepopulateActorNames: new Map(
					[...definitions].map(([name, { display }]) => [
						name,
						{ metadata: JSON.stringify(displayMetadata(display)) },
					]),
				),
				metadata: JSON.stringify({ rivetkit: { version: options.version } }),
			},
		},
		{ clock, random, log, errorResponse: (error, request) => answers.response(error, request) },
	);
	const services: HostServices = {
		backend: runner.backend,
		databases,
		clock,
		random,
		timers: new TimerWheel(clock, { resolutionMs: TIMER_RESOLUTION_MS }),
		alarms: new TimerWheel(clock, { resolutionMs: 1 }),
		turns: new TurnScheduler(),
		log,
		limits: messageLimitsOf(options.messageLimits),
		inspection: options.inspection,
		telemetry,
		codeVersion: options.codeVersion,
		checksReplays: options.checksReplays,
		exposeErrors,
		createClient: () => createHttpClient({ endpoint, namespace, token, headers, runnerName }),
	};
	const host = new RuntimeHost(services, definitions);
	host.attach({
		stopping: (actorId, generation, intent) => runner.stopping(actorId, generation, intent),
		stopped: (actorId, generation) => runner.hostStopped(actorId, generation),
		lost: () => {},
	});
	runner.start(host);
	let closing: Promise<void> | null = null;
	return {
		host,
		ended: runner.ended,
		welcome: () => runner.welcome(),
		close() {
			closing ??= runner.stop().finally(() => databases.close());
			return closing;
		},
	};
}
