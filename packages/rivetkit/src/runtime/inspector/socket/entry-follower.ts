import type { ActorEvent, InspectorToClient, LogLine, Uint } from "@rivetkit/protocol/inspector";
import type { HostTelemetry } from "../../telemetry/host-telemetry.ts";
import type { EventEntry, LogEntry, Trail, TrailListener } from "../../telemetry/trail.ts";
import type { TimerWheel, WheelTimer } from "../../timers/timer-wheel.ts";
import { invalid } from "../invalid.ts";
import { placeOf } from "../view/activity.ts";

/** Bytes that wait for a client that reads slowly; of entries beyond them only the number is told. */
const WAITING_BYTES_MAX = 1_048_576;
/** How often a client that was too slow is looked at again (ms). */
const SLOW_LOOK_MS = 500;

export interface FollowerHost {
	readonly timers: TimerWheel;
	/** Null when nothing is recorded. */
	readonly telemetry: HostTelemetry | null;
}

/** Where entries go. */
export interface EntrySink {
	push(message: InspectorToClient): void;
	/** Bytes that the client has not taken yet. */
	readonly waitingBytes: number;
}

/** What is asked for. */
export interface FollowOptions {
	readonly id: Uint;
	readonly events: boolean;
	readonly logs: boolean;
	/** The last entry that the client has. */
	readonly after: Uint | undefined;
}

type EntryTopic = "events" | "logs";

/** Tells one inspector's socket of the events and log lines of its actor, those of one turn together. */
export class EntryFollower implements TrailListener {
	readonly onSpan = null;
	onEvent: TrailListener["onEvent"] = null;
	onLog: TrailListener["onLog"] = null;
	readonly #host: FollowerHost;
	readonly #actorId: string;
	readonly #sink: EntrySink;
	#events: ActorEvent[] = [];
	#logs: LogLine[] = [];
	readonly #dropped = new Map<EntryTopic, number>();
	#isFlushing = false;
	#slow: WheelTimer | null = null;
	#unlisten: (() => void) | null = null;

	constructor(host: FollowerHost, actorId: string, sink: EntrySink) {
		this.#host = host;
		this.#actorId = actorId;
		this.#sink = sink;
	}

	/** In place of what was followed before. Throws `request.invalid` where nothing is recorded. */
	follow({ id, events, logs, after }: FollowOptions): void {
		const { telemetry } = this.#host;
		if (telemetry === null) throw invalid("nothing is recorded of actors here");
		this.end();
		this.#sink.push({ tag: "FollowResponse", val: { rid: id } });
		this.onEvent = events ? (entry) => this.#add(this.#events, eventMessage(entry)) : null;
		this.onLog = logs ? (entry) => this.#add(this.#logs, logMessage(telemetry, entry)) : null;
		if (!events && !logs) return;
		const trail = telemetry.trails.open(this.#actorId);
		trail.listen(this, telemetry.wallMs());
		if (after !== undefined) this.#goOn(trail, Number(after));
		this.#unlisten = () => trail.unlisten(this, telemetry.wallMs());
	}

	end(): void {
		this.#unlisten?.();
		this.#unlisten = null;
		this.#slow?.cancel();
		this.#slow = null;
		this.#events = [];
		this.#logs = [];
		this.#dropped.clear();
	}

	/** What was kept since. */
	#goOn(trail: Trail, after: number): void {
		const { onEvent, onLog } = this;
		for (const topic of ["events", "logs"] as const) {
			const isAsked = topic === "events" ? onEvent !== null : onLog !== null;
			if (!isAsked || after === 0 || !trail.hasLost(topic, after)) continue;
			this.#sink.push({ tag: "EntriesDropped", val: { topic, count: undefined } });
		}
		if (onEvent) for (const entry of trail.events) if (entry.id > after) onEvent(entry);
		if (onLog) for (const entry of trail.logs) if (entry.id > after) onLog(entry);
	}

	#add<Entry>(list: Entry[], entry: Entry): void {
		list.push(entry);
		if (this.#isFlushing) return;
		this.#isFlushing = true;
		queueMicrotask(() => {
			this.#isFlushing = false;
			this.#flush();
		});
	}

	#flush(): void {
		// The client may have gone in the turn of the entry: nobody would look at it, and it would be looked at for ever.
		if (this.#unlisten === null) return;
		const [events, logs] = [this.#events.splice(0), this.#logs.splice(0)];
		if (this.#sink.waitingBytes > WAITING_BYTES_MAX) {
			this.#drop("events", events.length);
			this.#drop("logs", logs.length);
			this.#slow ??= this.#host.timers.schedule(SLOW_LOOK_MS, () => {
				this.#slow = null;
				this.#flush();
			});
			return;
		}
		for (const [topic, count] of this.#dropped) {
			this.#sink.push({ tag: "EntriesDropped", val: { topic, count } });
		}
		this.#dropped.clear();
		if (events.length > 0) this.#sink.push({ tag: "EventsAdded", val: { events } });
		if (logs.length > 0) this.#sink.push({ tag: "LogsAdded", val: { logs } });
	}

	#drop(topic: EntryTopic, count: number): void {
		if (count > 0) this.#dropped.set(topic, (this.#dropped.get(topic) ?? 0) + count);
	}
}

function eventMessage({ id, atMs, name, args, subscribers, connId }: EventEntry): ActorEvent {
	return { id, atMs, name, args: args ?? undefined, subscribers, connId };
}

function logMessage(host: HostTelemetry, entry: LogEntry): LogLine {
	const { id, atMs, level, message, fields, span } = entry;
	const { traceId, spanId } = placeOf(host, span) ?? {};
	return { id, atMs, level, message, fields, traceId, spanId };
}
