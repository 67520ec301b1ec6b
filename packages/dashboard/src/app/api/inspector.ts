import type {
	ActionAnswer,
	ConnectionsAnswer,
	DeadLettersAnswer,
	DeclarationsAnswer,
	EventsAnswer,
	KvAnswer,
	LifecycleReport,
	LogsAnswer,
	MessagesAnswer,
	QueueStatus,
	RowsAnswer,
	RpcsAnswer,
	ScheduleFailuresAnswer,
	ScheduleHistoryAnswer,
	SchedulesAnswer,
	SchemaAnswer,
	StateAnswer,
	SummaryAnswer,
	TracesAnswer,
	WorkflowAnswer,
	WorkflowStatus,
} from "@rivetkit/protocol/inspector/answers";
import { ApiError, isGone } from "./errors.ts";
import { type ApiRequest, callApi, callApiVersion, openStream } from "./http.ts";
import type { Session } from "./session.ts";

/** A state, and which version of it. */
export interface SeenState extends StateAnswer {
	/** Null without a state, and where the server tells none. */
	readonly etag: string | null;
}

/** The inspector's routes of one actor (docs/inspector.md). */
export class Inspector {
	readonly #session: Session;
	readonly #base: string;

	constructor(session: Session, actorId: string) {
		this.#session = session;
		this.#base = `/gateway/${encodeURIComponent(actorId)}/inspector`;
	}

	summary = (signal: AbortSignal) => this.#get<SummaryAnswer>("/summary", { signal });
	lifecycle = (signal: AbortSignal) => this.#get<LifecycleReport>("/lifecycle", { signal });
	connections = (signal: AbortSignal) => this.#get<ConnectionsAnswer>("/connections", { signal });
	workflow = (signal: AbortSignal) => this.#get<WorkflowAnswer>("/workflow", { signal });
	schedules = (signal: AbortSignal) => this.#get<SchedulesAnswer>("/schedules", { signal });
	schema = (signal: AbortSignal) => this.#get<SchemaAnswer>("/database/schema", { signal });

	async state(signal: AbortSignal): Promise<SeenState> {
		const { value, etag } = await callApiVersion(this.#session, `${this.#base}/state`, { signal });
		return { ...(value as StateAnswer), etag };
	}

	/** Of a server that does not tell declarations, the names of its actions. */
	async declarations(signal: AbortSignal): Promise<DeclarationsAnswer> {
		try {
			return await this.#get<DeclarationsAnswer>("/declarations", { signal });
		} catch (error) {
			if (!(error instanceof ApiError && error.status === 404) || isGone(error)) throw error;
			const { rpcs } = await this.#get<RpcsAnswer>("/rpcs", { signal });
			const actions = rpcs.map((name) => ({ name, isValidated: false, takesList: false }));
			return { actions, queues: [], events: [] };
		}
	}

	queue(limit: number, signal: AbortSignal) {
		return this.#get<QueueStatus>("/queue", { query: { limit }, signal });
	}

	messages(
		query: { limit: number; after: number; reverse: boolean; name: string | null },
		signal: AbortSignal,
	) {
		return this.#get<MessagesAnswer>("/queue/messages", { query, signal });
	}

	deadLetters(limit: number, signal: AbortSignal) {
		return this.#get<DeadLettersAnswer>("/queue/dead-letters", { query: { limit }, signal });
	}

	scheduleHistory(id: string, signal: AbortSignal) {
		const path = `/schedules/${encodeURIComponent(id)}/history`;
		return this.#get<ScheduleHistoryAnswer>(path, { signal });
	}

	scheduleFailures(signal: AbortSignal) {
		return this.#get<ScheduleFailuresAnswer>("/schedules/failures", { signal });
	}

	kv(query: { prefix: string; after: string | null; limit: number }, signal: AbortSignal) {
		return this.#get<KvAnswer>("/kv", { query, signal });
	}

	rows(query: { table: string; limit: number; offset: number }, signal: AbortSignal) {
		return this.#get<RowsAnswer>("/database/rows", { query, signal });
	}

	events(after: number, signal: AbortSignal) {
		return this.#get<EventsAnswer>("/events", { query: { after, limit: 1_000 }, signal });
	}

	logs(query: { after: number; level: string }, signal: AbortSignal) {
		return this.#get<LogsAnswer>("/logs", { query: { ...query, limit: 1_000 }, signal });
	}

	traces(limit: number, signal: AbortSignal) {
		return this.#get<TracesAnswer>("/traces", { query: { limit }, signal });
	}

	/** Server-sent events that say that there is something new, and not what. */
	changes(topics: readonly string[], signal: AbortSignal) {
		const query = { topics: topics.join(","), values: false };
		return openStream(this.#session, `${this.#base}/stream`, { query, signal });
	}

	wake = () => this.#send("POST", "/wake");
	/** With an `etag` of a read it rejects with `inspector.state_changed`, and nothing is written, when it is another by now. */
	setState(state: unknown, ifMatch: string | null) {
		const request = { method: "PATCH", body: { state }, ifMatch } as const;
		return callApi(this.#session, `${this.#base}/state`, request);
	}

	call(action: string, args: readonly unknown[], signal: AbortSignal) {
		const path = `/action/${encodeURIComponent(action)}`;
		return this.#send("POST", path, { args }, signal) as Promise<ActionAnswer>;
	}

	sendMessage = (name: string, body: unknown) => this.#send("POST", "/queue", { name, body });
	/** `dropped` is false of one that is held, or gone. */
	dropMessage(id: number) {
		return this.#send("DELETE", `/queue/messages/${id}`) as Promise<{ readonly dropped: boolean }>;
	}

	redrive(body: { ids?: readonly number[]; queue?: string }) {
		return this.#send("POST", "/queue/redrive", body) as Promise<{ readonly redriven: number }>;
	}

	/** `deleted` is false of one that is gone: a call that was made, a job that somebody else deleted. */
	deleteSchedule(id: string) {
		const path = `/schedules/${encodeURIComponent(id)}`;
		return this.#send("DELETE", path) as Promise<{ readonly deleted: boolean }>;
	}

	/** Resolves with how the workflow is afterwards: one that has ended is not changed, without an error. */
	changeWorkflow(verb: "pause" | "resume" | "recover" | "cancel", body: object = {}) {
		const answer = this.#send("POST", `/workflow/${verb}`, body);
		return answer as Promise<{ readonly workflow: WorkflowStatus }>;
	}

	/** From the step with this id on. */
	replayWorkflow = (entryId: string) => this.#send("POST", "/workflow/replay", { entryId });

	execute(sql: string, args: readonly unknown[]) {
		return this.#send("POST", "/database/execute", { sql, args }) as Promise<RowsAnswer>;
	}

	async #get<T>(path: string, request: Pick<ApiRequest, "query" | "signal">): Promise<T> {
		return (await callApi(this.#session, `${this.#base}${path}`, request)) as T;
	}

	#send(
		method: "POST" | "PATCH" | "DELETE",
		path: string,
		body?: object,
		signal?: AbortSignal,
	): Promise<unknown> {
		const request = {
			method,
			...(body === undefined ? {} : { body }),
			...(signal === undefined ? {} : { signal }),
		};
		return callApi(this.#session, `${this.#base}${path}`, request);
	}
}
