import {
	type ActorRequest,
	type ActorResponse,
	catalogueError,
	encodeBase64,
	encodeCbor,
	type InspectionTarget,
	toWireError,
} from "@rivetkit/protocol";
import type { InspectorToClient } from "@rivetkit/protocol/inspector";
import type { Logger } from "../../../log/logger.ts";
import type { ValueForm } from "../../durable/durable-view.ts";
import { untracked } from "../../state/index.ts";
import type { TracedActor } from "../../telemetry/actor-telemetry.ts";
import type { HostTelemetry } from "../../telemetry/host-telemetry.ts";
import type { TrailListener } from "../../telemetry/trail.ts";
import type { TimerWheel, WheelTimer } from "../../timers/timer-wheel.ts";
import { invalid } from "../invalid.ts";
import { toPlainJson } from "../plain-json.ts";
import type { Watcher } from "../socket/actor-watch.ts";
import { eventJson, logJson } from "../view/activity.ts";
import type { ActorView } from "../view/actor-view.ts";
import { otlpSpan } from "../view/traces.ts";
import { EventStream } from "./event-stream.ts";
import {
	CHANGED_TOPIC,
	STATE_TOPICS,
	type StateTopicName,
	type TopicName,
	topicsIn,
} from "./topics.ts";

/** Streams of one actor at the same time. */
const STREAMS_MAX = 64;
/** How often something is sent at least (ms), so that proxies keep the connection. */
const KEEP_ALIVE_MS = 15_000;

const HEADERS = {
	"content-type": "text/event-stream",
	"cache-control": "no-store",
	"referrer-policy": "no-referrer",
	// Of nginx: what comes is passed on at once.
	"x-accel-buffering": "no",
} as const;

export interface StreamsHost {
	readonly timers: TimerWheel;
	readonly log: Logger;
	/** Null when nothing is recorded. */
	readonly telemetry: HostTelemetry | null;
	/** What is returned ends the watch. */
	watch(target: InspectionTarget, watcher: Watcher): Promise<() => void>;
}

/** The server-sent events of one host's actors. */
export class InspectorStreams {
	readonly #host: StreamsHost;
	readonly #byActor = new Map<string, Set<ActorStream>>();

	constructor(host: StreamsHost) {
		this.#host = host;
	}

	/** Throws `request.invalid`, `inspector.too_many_streams` and `actor.not_found`. */
	async open(
		target: InspectionTarget,
		actor: TracedActor,
		request: ActorRequest,
		query: URLSearchParams,
	): Promise<ActorResponse> {
		const topics = topicsIn(query);
		const values = valuesIn(query);
		const { actorId } = target;
		const streams = this.#byActor.get(actorId) ?? new Set();
		if (streams.size >= STREAMS_MAX) {
			throw catalogueError("inspector.too_many_streams", { limit: STREAMS_MAX });
		}
		const stream = new ActorStream(this.#host, { target, actor, topics, values }, () => {
			streams.delete(stream);
			if (streams.size === 0) this.#byActor.delete(actorId);
		});
		streams.add(stream);
		this.#byActor.set(actorId, streams);
		const after = Number(request.headers.get("last-event-id") ?? query.get("after") ?? Number.NaN);
		try {
			await stream.open(Number.isSafeInteger(after) ? after : null);
		} catch (error) {
			stream.events.end();
			throw error;
		}
		return { status: 200, headers: HEADERS, body: stream.events.body };
	}

	/** The actor is gone for good. */
	destroyed(actorId: string): void {
		const error = catalogueError("actor.not_found", { identifier: actorId });
		for (const stream of [...(this.#byActor.get(actorId) ?? [])]) stream.refuse(error);
	}
}

/** What somebody wants to follow. */
interface StreamRequest {
	readonly target: InspectionTarget;
	readonly actor: TracedActor;
	readonly topics: ReadonlySet<TopicName>;
	/** In which form what is new is told; null for only that something is. */
	readonly values: ValueForm | null;
}

const NO_VALUE = "{}";

/** Throws `request.invalid` for a form that there is not. */
function valuesIn(query: URLSearchParams): ValueForm | null {
	const text = query.get("values");
	if (text === "false") return null;
	if (text === "cbor") return "exact";
	if (text === null || text === "true") return "plain";
	throw invalid(`values must be true, false or cbor, got '${text}'`);
}

/** One line. */
function written(data: object, form: ValueForm): string {
	return form === "plain" ? toPlainJson(data) : encodeBase64(encodeCbor(untracked(data)));
}

/** One client that follows one actor. */
class ActorStream implements Watcher, TrailListener {
	readonly events: EventStream;
	readonly onEvent: TrailListener["onEvent"];
	readonly onLog: TrailListener["onLog"];
	readonly onSpan: TrailListener["onSpan"];
	readonly #host: StreamsHost;
	readonly #target: InspectionTarget;
	readonly #actor: TracedActor;
	readonly #topics: ReadonlySet<TopicName>;
	readonly #values: ValueForm | null;
	#leave: (() => void) | null = null;
	#unlisten: (() => void) | null = null;
	#keepAlive: WheelTimer | null = null;
	/** What was last told of topics that have to be compared. */
	readonly #told = new Map<string, string>();
	/** How many looks at the actor there were, and which of them was last told of each topic. */
	#looks = 0;
	readonly #toldLooks = new Map<string, number>();

	constructor(
		host: StreamsHost,
		{ target, actor, topics, values }: StreamRequest,
		closed: () => void,
	) {
		this.#host = host;
		this.#target = target;
		this.#actor = actor;
		this.#topics = topics;
		this.#values = values;
		this.events = new EventStream(() => {
			this.#end();
			closed();
		});
		const { telemetry } = host;
		this.onEvent = topics.has("events")
			? (entry) => this.#entry("events", entry.id, () => eventJson(entry))
			: null;
		this.onLog =
			telemetry && topics.has("logs")
				? (entry) => this.#entry("logs", entry.id, () => logJson(telemetry, entry))
				: null;
		this.onSpan =
			telemetry && topics.has("traces")
				? (span) => this.#entry("traces", span.sequence, () => otlpSpan(telemetry, actor, span))
				: null;
	}

	/** Never throws: nobody's work fails because somebody looks. */
	#entry(topic: TopicName, id: number, data: () => object): void {
		let text = NO_VALUE;
		try {
			if (this.#values) text = written(data(), this.#values);
		} catch (error) {
			// Such as arguments as deep as they may be, which lie deeper here.
			this.#host.log.debug({ err: error, topic }, "a part of an actor cannot be shown");
			this.events.drop(topic);
			return;
		}
		this.events.entry(topic, text, id);
	}

	/** @param after - the id of the last entry that the client has; null for one that has none */
	async open(after: number | null): Promise<void> {
		this.events.say("open", JSON.stringify({ topics: [...this.#topics] }));
		const { closing } = this.#target;
		closing.addEventListener("abort", this.#close, { once: true });
		if (closing.aborted) {
			this.events.end();
			return;
		}
		this.#listen();
		if (after !== null) this.#goOn(after);
		this.#beat();
		const watches = [...this.#topics].some(
			(topic) => topic in STATE_TOPICS || topic === CHANGED_TOPIC,
		);
		if (!watches) return;
		const leave = await this.#host.watch(this.#target, this);
		if (this.events.isOver) leave();
		else this.#leave = leave;
	}

	/** Of a watch: the actor as it is at first. */
	begin(view: ActorView): void {
		const look = ++this.#looks;
		for (const topic of this.#stateTopics()) void this.#tell(topic, view, look);
	}

	looked(view: ActorView, changes: readonly InspectorToClient[]): void {
		const look = ++this.#looks;
		const tags = new Set(changes.map(({ tag }) => tag));
		for (const topic of this.#stateTopics()) {
			const { tag } = STATE_TOPICS[topic];
			if (tag === null || tags.has(tag)) void this.#tell(topic, view, look);
		}
		if (this.#topics.has(CHANGED_TOPIC)) this.events.latest(CHANGED_TOPIC, NO_VALUE);
	}

	refuse(error: unknown): void {
		const { group, code, message } = toWireError(error, { expose: false });
		this.events.say("end", JSON.stringify({ group, code, message }));
		this.events.end();
	}

	#stateTopics(): StateTopicName[] {
		return [...this.#topics].filter((topic) => topic in STATE_TOPICS) as StateTopicName[];
	}

	/** Never rejects. What can be read at once is sent at once, so that it is what it was then. */
	async #tell(topic: StateTopicName, view: ActorView, look: number): Promise<void> {
		// What has to be compared is read in any case.
		if (!this.#values && STATE_TOPICS[topic].tag !== null) {
			this.events.latest(topic, NO_VALUE);
			return;
		}
		let data: string;
		try {
			const form = this.#values ?? "plain";
			const read: object | Promise<object> = STATE_TOPICS[topic].read(view, form);
			data = written(read instanceof Promise ? await read : read, form);
			// A later look was faster: what it saw is what is.
			if ((this.#toldLooks.get(topic) ?? 0) > look) return;
			this.#toldLooks.set(topic, look);
		} catch (error) {
			// Such as a state that cannot be stored: its commit complains of it.
			this.#host.log.debug({ err: error, topic }, "a part of an actor cannot be shown");
			return;
		}
		if (STATE_TOPICS[topic].tag === null) {
			if (this.#told.get(topic) === data) return;
			this.#told.set(topic, data);
		}
		this.events.latest(topic, this.#values ? data : NO_VALUE);
	}

	/** What was kept since the client was here last, of all topics together in the order in which it happened. */
	#goOn(after: number): void {
		const { telemetry } = this.#host;
		if (!telemetry) return;
		const trail = telemetry.trails.of(this.#actor.actorId);
		for (const topic of ["events", "logs"] as const) {
			if (after === 0 || !this.#topics.has(topic)) continue;
			if (trail?.hasLost(topic, after) === false) continue;
			this.events.say("dropped", JSON.stringify({ topic, count: null }));
		}
		if (!trail) return;
		const missed: { id: number; send: () => void }[] = [];
		const { onEvent, onLog, onSpan } = this;
		if (onEvent)
			for (const entry of trail.events) missed.push({ id: entry.id, send: () => onEvent(entry) });
		if (onLog)
			for (const entry of trail.logs) missed.push({ id: entry.id, send: () => onLog(entry) });
		if (onSpan) {
			for (const span of trail.spans) {
				if (!span.isOpen) missed.push({ id: span.sequence, send: () => onSpan(span) });
			}
		}
		const ordered = missed.filter(({ id }) => id > after).sort((a, b) => a.id - b.id);
		for (const { send } of ordered) send();
	}

	#listen(): void {
		if (!this.onEvent && !this.onLog && !this.onSpan) return;
		const { telemetry } = this.#host;
		if (!telemetry) return;
		const trail = telemetry.trails.open(this.#actor.actorId);
		trail.listen(this, telemetry.wallMs());
		this.#unlisten = () => trail.unlisten(this, telemetry.wallMs());
	}

	#beat(): void {
		this.#keepAlive = this.#host.timers.schedule(KEEP_ALIVE_MS, () => {
			this.events.keepAlive();
			this.#beat();
		});
	}

	readonly #close = (): void => this.events.end();

	#end(): void {
		this.#target.closing.removeEventListener("abort", this.#close);
		this.#keepAlive?.cancel();
		this.#leave?.();
		this.#leave = null;
		this.#unlisten?.();
		this.#unlisten = null;
	}
}
