import type { Clock, Random } from "@rivetkit/protocol";
import type { ActorBackend } from "../../backends/backend.ts";
import type { Logger } from "../../log/logger.ts";
import type { TurnScheduler } from "../commit/turn-scheduler.ts";
import type { DatabasePool } from "../database/database-pool.ts";
import type { InspectionConfig } from "../inspector/inspection-config.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { HostTelemetry } from "../telemetry/host-telemetry.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";

/** What all actors of one host share. Passed in, so that tests can drive time, chance and storage. */
export interface HostServices {
	readonly backend: ActorBackend;
	readonly clock: Clock;
	readonly random: Random;
	readonly timers: TimerWheel;
	/** Deadlines that are met to the millisecond: the alarms of live actors. */
	readonly alarms: TimerWheel;
	readonly turns: TurnScheduler;
	readonly log: Logger;
	readonly limits: MessageLimits;
	/** Of the registry (`runner.version`): tells users' code from that of an earlier deploy. Default 1. */
	readonly codeVersion?: number;
	/** Whether replays of workflows are compared with what was recorded (workflows W1d). Default false. */
	readonly checksReplays?: boolean;
	/** What actors' databases share. */
	readonly databases: DatabasePool;
	/** Absent: the actors cannot be inspected. */
	readonly inspection?: InspectionConfig;
	/** Absent: no traces, no metrics, and nothing for inspectors to follow. */
	readonly telemetry?: HostTelemetry;
	/** Whether callers see the text of internal errors (contract: protocol 6.1). Asked per error. */
	exposeErrors(): boolean;
	/** The in-process client an actor gets from `c.client()`. */
	createClient(owner: ActorInstance): InProcessClient;
}

export interface MessageLimits {
	/** Bytes of one action, queue or WebSocket message in. Default 65,536 (api 14.1). */
	readonly maxIncomingMessageSize: number;
	/** Bytes of one response or event out. Default 1,048,576 (api 14.1). */
	readonly maxOutgoingMessageSize: number;
}

/** Without what else the object has, such as the rest of the registry's configuration. */
export function messageLimitsOf(limits: MessageLimits): MessageLimits {
	const { maxIncomingMessageSize, maxOutgoingMessageSize } = limits;
	return { maxIncomingMessageSize, maxOutgoingMessageSize };
}

/** Whatever `c.client()` returns; typed for users by the definition types. */
export interface InProcessClient {
	dispose(): Promise<void>;
}
