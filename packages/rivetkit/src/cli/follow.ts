import { setTimeout as sleep } from "node:timers/promises";
import { decodeBase64, decodeCbor } from "@rivetkit/protocol";
import { type ServerEvent, serverEvents } from "@rivetkit/protocol/inspector";
import { CommandFailed } from "./failure.ts";
import { toExactData } from "./output/exact-json.ts";
import type { Server } from "./server/server.ts";

/** What can be followed (docs/inspector.md). */
export const TOPICS = [
	"state",
	"connections",
	"queue",
	"schedules",
	"lifecycle",
	"events",
	"logs",
	"traces",
	"workflow-history",
] as const;
export type Topic = (typeof TOPICS)[number];

/** Spans, and whole histories of workflows, come when they are asked for. */
export const DEFAULT_TOPICS: readonly Topic[] = TOPICS.slice(0, 7);

/** How long a server is waited for that went away, or that ends every stream. */
export const LOST_MS_MAX = 60_000;
/** A stream that lasted this long was a good one: the waiting begins anew when it ends. */
const GOOD_STREAM_MS = 10_000;
/** Pauses before a stream is opened again, doubling up to the second. */
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 8_000;

export interface Following {
	readonly topics: readonly Topic[];
	/** Ends it. */
	readonly signal: AbortSignal;
	/** @param data - as docs/inspector.md has it for streams, with values as {@link toExactData} writes them */
	onEvent(topic: string, data: unknown): void;
	/** There is no stream any more, and another one is tried for. */
	onLost(why: "gone" | "ended"): void;
	/** After {@link onLost}: there is one again. */
	onBack(): void;
}

/** Where the time comes from. */
export interface Pace {
	nowMs(): number;
	/** Resolves early when the signal fires. */
	pause(ms: number, signal: AbortSignal): Promise<void>;
}

const REAL_PACE: Pace = {
	nowMs: () => performance.now(),
	pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
};

/**
 * Follows an actor over its sleep, and over restarts of the server for a minute each. Resolves with why it ended
 * (the actor is destroyed), or with null after an abort. Throws {@link CommandFailed}: what the server refuses, and
 * `stream.lost` when it had no lasting stream for a minute.
 */
export async function followActor(
	server: Pick<Server, "follow">,
	actorId: string,
	{ topics, signal, onEvent, onLost, onBack }: Following,
	pace: Pace = REAL_PACE,
): Promise<string | null> {
	let hasBegun = false;
	let after: string | null = null;
	/** Since when there was no stream that lasted; null while there is one. */
	let lostAtMs: number | null = null;
	let pauseMs = PAUSE_FIRST_MS;
	for (;;) {
		let openedAtMs: number | null = null;
		let failure: unknown = null;
		let why: "gone" | "ended" = "ended";
		try {
			const stream = await server.follow(actorId, topics, after, signal);
			for await (const event of serverEvents(stream)) {
				if (openedAtMs === null) {
					openedAtMs = pace.nowMs();
					hasBegun = true;
					if (lostAtMs !== null) onBack();
				}
				after = event.lastId ?? after;
				const data = parsed(event);
				if (event.event === "end") {
					const end = endOf(data as Partial<EndOfStream>);
					if (isDestroyed(end)) return "it is destroyed";
					failure = end;
					break;
				}
				if (event.event !== "open") onEvent(event.event, data);
			}
		} catch (error) {
			if (signal.aborted) return null;
			if (!hasBegun || isRefusal(error)) throw error;
			failure = error;
			why = "gone";
		}
		if (signal.aborted) return null;
		const nowMs = pace.nowMs();
		if (openedAtMs !== null && nowMs - openedAtMs >= GOOD_STREAM_MS) {
			lostAtMs = null;
			pauseMs = PAUSE_FIRST_MS;
		}
		if (openedAtMs !== null || lostAtMs === null) onLost(why);
		lostAtMs ??= nowMs;
		if (nowMs - lostAtMs >= LOST_MS_MAX) {
			throw failure instanceof CommandFailed ? failure : lost(failure);
		}
		await pace.pause(pauseMs, signal);
		if (signal.aborted) return null;
		pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2);
	}
}

function lost(failure: unknown): CommandFailed {
	const what =
		failure === null
			? "The server ends every stream soon after it began"
			: "The server went away and did not come back";
	const minutes = LOST_MS_MAX / 60_000;
	return new CommandFailed(`${what}; it was tried for ${minutes} min.`, {
		group: "stream",
		code: "lost",
		cause: failure ?? undefined,
	});
}

interface EndOfStream {
	readonly group: string;
	readonly code: string;
	readonly message: string;
}

/** Why the server ended a stream: the actor is gone, or cannot be looked at just now. */
function endOf({ group, code, message }: Partial<EndOfStream>): CommandFailed {
	const why = message ?? "The server ended the stream";
	return new CommandFailed(why, {
		...(group === undefined ? {} : { group }),
		...(code === undefined ? {} : { code }),
	});
}

function isDestroyed({ group, code }: CommandFailed): boolean {
	return group === "actor" && code === "not_found";
}

/** What is refused stays refused; what fails in the server, or on the way to it, may pass. */
function isRefusal(error: unknown): boolean {
	if (!(error instanceof CommandFailed) || error.code === undefined) return false;
	return error.group !== "guard" && error.code !== "internal_error";
}

/** Base64 of CBOR, or JSON: what has no values, and all of servers that know nothing else. */
function parsed({ event, data }: ServerEvent): unknown {
	try {
		const bytes = /^[{["]/.test(data) ? null : decodeBase64(data);
		return bytes === null ? JSON.parse(data) : toExactData(decodeCbor(bytes));
	} catch (error) {
		throw new CommandFailed(`The server sent an event '${event}' that cannot be read.`, {
			group: "stream",
			code: "malformed",
			cause: error,
		});
	}
}
