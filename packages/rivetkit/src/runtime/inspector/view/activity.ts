import { decodeCbor } from "@rivetkit/protocol";
import type {
	EventEntry as EventAnswer,
	EventsAnswer,
	LogEntry as LogAnswer,
	LogsAnswer,
} from "@rivetkit/protocol/inspector/answers";
import type { TracedActor } from "../../telemetry/actor-telemetry.ts";
import type { HostTelemetry } from "../../telemetry/host-telemetry.ts";
import type { Span } from "../../telemetry/span.ts";
import type { EventEntry, LogEntry, Trail } from "../../telemetry/trail.ts";

/** What an actor did lately, awake or not. */
export interface Activity {
	readonly host: HostTelemetry;
	readonly actor: TracedActor;
}

/** Null while nothing was recorded. */
export function trailOf({ host, actor }: Activity): Trail | null {
	return host.trails.of(actor.actorId) ?? null;
}

/** @param isShowable - of arguments: those that are not are left out, with a note */
export function eventJson(
	{ id, atMs, name, args, subscribers, connId }: EventEntry,
	isShowable: (args: unknown) => boolean = () => true,
): EventAnswer {
	const decoded = args && { args: decodeCbor(args) };
	return {
		id,
		atMs,
		name,
		...(decoded && (isShowable(decoded.args) ? decoded : { isTooDeep: true })),
		subscribers,
		...(connId !== undefined && { connId }),
	};
}

export function logJson(host: HostTelemetry, entry: LogEntry): LogAnswer {
	const { id, atMs, level, message, fields, span } = entry;
	return { id, atMs, level, message, fields: JSON.parse(fields), ...placeOf(host, span) };
}

export function placeOf(
	host: HostTelemetry,
	span: Span | null,
): { traceId: string; spanId: string } | undefined {
	if (span === null) return undefined;
	const { traceId, spanId } = host.contextOf(span);
	return { traceId, spanId };
}

export interface EntriesQuery {
	readonly limit: number;
	/** Only entries with a higher id. */
	readonly after: number;
}

/** The newest ones, oldest first. Reading has events recorded for a while. */
export function eventsOf(
	activity: Activity | null,
	{ limit, after }: EntriesQuery,
	isShowable: (args: unknown) => boolean,
): EventsAnswer {
	if (activity === null) return { events: [], recording: false, lastId: after };
	const { host, actor } = activity;
	const trail = host.trails.open(actor.actorId);
	trail.lease("events", host.wallMs());
	const kept = [...trail.events];
	const { entries, isCut } = newest(kept, limit, after);
	return {
		events: entries.map((entry) => eventJson(entry, isShowable)),
		recording: true,
		lastId: lastIdOf(kept, after),
		...(after > 0 && (isCut || trail.hasLost("events", after)) && { missed: true }),
	};
}

const LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal"];

/** The same of log lines, at this level and above. */
export function logsOf(
	activity: Activity | null,
	{ limit, after, level }: EntriesQuery & { readonly level: string | null },
): LogsAnswer {
	if (activity === null) return { logs: [], recording: false, lastId: after };
	const { host, actor } = activity;
	const trail = host.trails.open(actor.actorId);
	trail.lease("logs", host.wallMs());
	const least = level === null ? 0 : LEVELS.indexOf(level);
	const kept = [...trail.logs];
	const lines = kept.filter((line) => LEVELS.indexOf(line.level) >= least);
	const { entries, isCut } = newest(lines, limit, after);
	return {
		logs: entries.map((line) => logJson(host, line)),
		recording: true,
		lastId: lastIdOf(kept, after),
		...(after > 0 && (isCut || trail.hasLost("logs", after)) && { missed: true }),
	};
}

export function isLevel(text: string): boolean {
	return LEVELS.includes(text);
}

/** What was looked through: who goes on after it misses nothing, and hears of no gap where only lines of other levels were. */
function lastIdOf(kept: readonly { readonly id: number }[], after: number): number {
	return Math.max(after, kept.at(-1)?.id ?? 0);
}

/** `isCut`: there are more than the limit. */
function newest<Entry extends { readonly id: number }>(
	entries: readonly Entry[],
	limit: number,
	after: number,
): { entries: Entry[]; isCut: boolean } {
	const found = entries.filter(({ id }) => id > after);
	return { entries: limit > 0 ? found.slice(-limit) : [], isCut: found.length > limit };
}
