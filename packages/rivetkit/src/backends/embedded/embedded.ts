import {
	type ClusterNode,
	createEngine,
	type Engine,
	type EngineLimits,
	type Store,
	type Whereabouts,
} from "@rivetkit/engine";
import { type Clock, catalogueError, type Random, type ServerMetadata } from "@rivetkit/protocol";
import { displayMetadata, type ErasedActorConfig } from "../../actor/erased.ts";
import { createClientOver } from "../../client/create-client.ts";
import type { Client, UntypedRegistry } from "../../client/types/client.types.ts";
import type { Logger } from "../../log/logger.ts";
import { STORAGE_LAYOUT_VERSION, staysBehind } from "../../runtime/commit/storage-layout.ts";
import { TurnScheduler } from "../../runtime/commit/turn-scheduler.ts";
import { assertAllowed } from "../../runtime/context/permissions.ts";
import { DatabasePool } from "../../runtime/database/database-pool.ts";
import { RuntimeHost } from "../../runtime/host/runtime-host.ts";
import {
	type HostServices,
	type MessageLimits,
	messageLimitsOf,
} from "../../runtime/host/services.ts";
import type { InspectionConfig } from "../../runtime/inspector/inspection-config.ts";
import type { ActorInstance } from "../../runtime/instance/instance.ts";
import type { HostTelemetry, TelemetryConfig } from "../../runtime/telemetry/host-telemetry.ts";
import { type MetricsSources, metricsText } from "../../runtime/telemetry/metrics/metrics-text.ts";
import { startTelemetry } from "../../runtime/telemetry/open-telemetry.ts";
import { TimerWheel } from "../../runtime/timers/timer-wheel.ts";
import type { ManagerDriver } from "../manager.ts";
import { EmbeddedBackend } from "./embedded-backend.ts";
import { type CallingActor, InProcessTransport } from "./in-process-transport.ts";

/** How far apart the deadlines of one host may be moved to share a timer (ms). */
export const TIMER_RESOLUTION_MS = 10;

const OPEN_DATABASES_MAX = 128;

export interface EmbeddedOptions extends Code {
	readonly store: Store;
	/** This process's part in a cluster; `store` and `clock` are from there. Default: it is alone. */
	readonly node?: ClusterNode;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Logger;
	readonly messageLimits: MessageLimits;
	readonly engineLimits?: Partial<EngineLimits>;
	readonly version: string;
	/** See {@link HostServices.checksReplays}. */
	readonly checksReplays?: boolean;
	readonly namespace: string;
	readonly token?: string;
	/** Databases of actors that may be open at the same time. Default 128. */
	readonly maxOpenDatabases?: number;
	/** Holds working files of databases; is named in messages, and lets a second process recognise this one. */
	readonly dataDirectory?: string;
	readonly metadata?: (caller: Whereabouts) => Partial<ServerMetadata>;
	/** Folder of the dashboard's files; null for no dashboard (the default). */
	readonly pagesFolder?: (() => string) | null;
	/** Default: the actors cannot be inspected. */
	readonly inspection?: InspectionConfig;
	/** Default: nothing is recorded. */
	readonly telemetry?: TelemetryConfig;
	readonly exposeErrors: () => boolean;
	/** Where clients outside this process reach the gateway. */
	readonly publicUrl: () => string;
}

/** The users' code: what can be replaced while everything else goes on. */
export interface Code {
	readonly definitions: ReadonlyMap<string, ErasedActorConfig>;
	/** Of the users' code. Default 1. */
	readonly codeVersion?: number;
}

/** An engine and a host in one process, joined by function calls. */
export interface Embedded {
	readonly engine: Engine;
	/** Where actors start now. */
	readonly host: RuntimeHost;
	/** The deadlines of all actors. */
	readonly timers: TimerWheel;
	/**
	 * Goes on with other code: actors that are awake go to sleep with the old one and wake with the new one,
	 * and their clients' sockets stay open. Resolves when all have moved, or could not; the log tells why.
	 */
	replaceCode(code: Code): Promise<void>;
	/** Stops all actors, then closes the store. Idempotent. */
	close(): Promise<void>;
}

export function startEmbedded(options: EmbeddedOptions): Embedded {
	const { store, clock, random, log, version, namespace } = options;
	const telemetry = options.telemetry && startTelemetry(options.telemetry, { clock, random, log });
	const engine = createEngine({
		store,
		...(options.node ? { node: options.node } : undefined),
		version,
		clock,
		random,
		namespace,
		logger: log as never,
		exposeErrors: options.exposeErrors,
		transfer: {
			layout: { version: STORAGE_LAYOUT_VERSION, staysBehind },
			access: { check: (caller, readToken) => host.checkInspector(caller, readToken) },
		},
		...(options.engineLimits ? { limits: options.engineLimits } : undefined),
		...(options.token === undefined ? undefined : { token: options.token }),
		...(options.dataDirectory === undefined ? undefined : { dataDirectory: options.dataDirectory }),
		...(options.metadata ? { metadata: options.metadata } : undefined),
		...(options.pagesFolder ? { pagesFolder: options.pagesFolder } : undefined),
		...(telemetry?.recordsMetrics
			? { metrics: async () => metricsText(await measured(telemetry)) }
			: undefined),
	});
	const measured = async (recorded: HostTelemetry): Promise<MetricsSources> => ({
		telemetry: recorded,
		live: host.liveInstances,
		actorCounts: await engine.actorCounts(),
		socketCount: engine.socketCount,
		cluster: options.node?.metrics() ?? [],
	});
	const databases = new DatabasePool({
		dataDirectory: options.dataDirectory ?? null,
		openMax: options.maxOpenDatabases ?? OPEN_DATABASES_MAX,
		log,
	});
	const services: Omit<HostServices, "codeVersion"> = {
		databases,
		backend: new EmbeddedBackend(store, (actorId, alarmTs) =>
			engine.alarmCommitted(actorId, alarmTs),
		),
		clock,
		random,
		timers: new TimerWheel(clock, { resolutionMs: TIMER_RESOLUTION_MS }),
		alarms: new TimerWheel(clock, { resolutionMs: 1 }),
		turns: new TurnScheduler(() => store.endTurn()),
		log,
		limits: messageLimitsOf(options.messageLimits),
		...(options.inspection ? { inspection: options.inspection } : undefined),
		...(telemetry ? { telemetry } : undefined),
		checksReplays: options.checksReplays ?? false,
		exposeErrors: options.exposeErrors,
		createClient: (owner) => inProcessClient(engine, callingActor(owner), options),
	};
	const attach = ({ definitions, codeVersion = 1 }: Code): RuntimeHost => {
		const attached = new RuntimeHost({ ...services, codeVersion }, definitions);
		const actorNames = Object.fromEntries(
			[...definitions].map(([name, { display }]) => [name, displayMetadata(display)]),
		);
		attached.attach(engine.attachHost(attached, { actorNames, wakesMoved: true }));
		return attached;
	};
	let host: RuntimeHost = attach(options);
	let closing: Promise<void> | null = null;
	return {
		engine,
		get host() {
			return host;
		},
		timers: services.timers,
		async replaceCode(code) {
			host = attach(code);
			await engine.moved();
		},
		close() {
			closing ??= engine
				.close()
				.finally(() => databases.close())
				.finally(() => store.close());
			return closing;
		},
	};
}

export type InProcessClientOptions = Pick<
	EmbeddedOptions,
	"clock" | "random" | "log" | "publicUrl" | "exposeErrors"
>;

/** A client without a network. `caller` is null for one that is no actor. */
export function inProcessClient<Registry = UntypedRegistry>(
	manager: ManagerDriver | Promise<ManagerDriver>,
	caller: CallingActor | null,
	{ clock, random, log, publicUrl, exposeErrors }: InProcessClientOptions,
): Client<Registry> {
	const transport = new InProcessTransport(manager, caller, publicUrl, exposeErrors);
	return createClientOver<Registry>({ transport, clock, random, log });
}

/** An actor as the owner of an in-process client. */
export function callingActor(owner: ActorInstance): CallingActor {
	return {
		actorId: owner.actorId,
		name: owner.name,
		key: owner.key,
		telemetry: owner.telemetry,
		admitSelfCall: () => {
			assertAllowed("self-call", owner.phase, owner.actorId);
			owner.assertOutsideAtomic("A call of the actor to itself");
		},
		admitSelfWait: () => {
			if (owner.run?.scope?.isCurrent) throw catalogueError("queue.waits_for_itself", {});
		},
	};
}
