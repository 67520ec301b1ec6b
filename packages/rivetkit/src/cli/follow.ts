import { setTimeout as sleep } from "node:timers/promises";
import { type ServerEvent, serverEvents } from "@rivetkit/protocol/inspector";
import { CommandFailed } from "./failure.ts";
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

/** How long a server that went away is waited for. */
const LOST_MS_MAX = 60_000;
const RETRY_MS = 1_000;

export interface Following {
	readonly topics: readonly Topic[];
	/** Ends it. */
	readonly signal: AbortSignal;
	onEvent(topic: string, data: unknown): void;
	/** The server went away, and is waited for. */
	onLost(): void;
}

/**
 * Follows an actor over its sleep, and over restarts of the server for a minute each. Resolves with why it ended
 * (the actor is destroyed), or with null after an abort. Throws {@link CommandFailed}.
 */
export async function followActor(
	server: Server,
	actorId: string,
	{ topics, signal, onEvent, onLost }: Following,
): Promise<string | null> {
	let hasBegun = false;
	let after: string | null = null;
	let lostAtMs: number | null = null;
	for (;;) {
		try {
			const stream = await server.follow(actorId, topics, after, signal);
			for await (const event of serverEvents(stream)) {
				hasBegun = true;
				lostAtMs = null;
				after = event.lastId ?? after;
				const data = parsed(event);
				if (event.event === "end") return reasonOf(data as Partial<EndOfStream>);
				if (event.event !== "open") onEvent(event.event, data);
			}
		} catch (error) {
			if (signal.aborted) return null;
			// What is refused stays refused; what is lost may come back.
			const isRefused = error instanceof CommandFailed && error.code !== undefined;
			const isOver = lostAtMs !== null && Date.now() - lostAtMs > LOST_MS_MAX;
			if (isRefused || isOver || !hasBegun) throw error;
		}
		if (signal.aborted) return null;
		if (lostAtMs === null) onLost();
		lostAtMs ??= Date.now();
		await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
		if (signal.aborted) return null;
	}
}

interface EndOfStream {
	readonly group: string;
	readonly code: string;
	readonly message: string;
}

function reasonOf({ group, code, message }: Partial<EndOfStream>): string {
	if (group === "actor" && code === "not_found") return "it is destroyed";
	return message ?? "the server ended it";
}

function parsed({ event, data }: ServerEvent): unknown {
	try {
		return JSON.parse(data);
	} catch (error) {
		throw new CommandFailed(`The server sent an event '${event}' that is not JSON.`, {
			group: "stream",
			code: "malformed",
			cause: error,
		});
	}
}
