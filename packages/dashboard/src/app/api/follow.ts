import { serverEvents } from "@rivetkit/protocol/inspector";
import { isGone, needsToken } from "./errors.ts";

export interface Follower {
	onOpen(): void;
	/** Until the next {@link onOpen} nobody tells what is new. */
	onLost(): void;
	onTopic(topic: string): void;
}

/** Pauses before a stream that was lost is opened again (ms), doubling up to the second. */
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 10_000;

/**
 * Follows a stream of server-sent events, and opens it again when it is lost. A page that is hidden has none:
 * browsers have few connections for one server.
 *
 * @returns what ends it
 */
export function follow(
	open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
	follower: Follower,
): () => void {
	const end = new AbortController();
	void run(open, follower, end.signal);
	return () => end.abort();
}

async function run(
	open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
	{ onOpen, onLost, onTopic }: Follower,
	end: AbortSignal,
): Promise<void> {
	let pauseMs = PAUSE_FIRST_MS;
	while (!end.aborted) {
		await untilVisible(end);
		const hidden = new AbortController();
		const onVisibility = () => {
			if (document.hidden) hidden.abort();
		};
		document.addEventListener("visibilitychange", onVisibility);
		try {
			const stream = await open(AbortSignal.any([end, hidden.signal]));
			for await (const { event, data } of serverEvents(stream)) {
				if (event === "open") {
					pauseMs = PAUSE_FIRST_MS;
					if (!end.aborted) onOpen();
				} else if (event === "end") {
					if (isForGood(data)) return;
					// Such as a store that does not answer for a moment.
					break;
				} else {
					// What the page was too slow for is something new, too.
					onTopic(event === "dropped" ? (JSON.parse(data) as { topic: string }).topic : event);
				}
			}
		} catch (error) {
			// Somebody has to do something first, and then this begins anew.
			if (needsToken(error) || isGone(error)) return;
		} finally {
			document.removeEventListener("visibilitychange", onVisibility);
			if (!end.aborted) onLost();
		}
		if (hidden.signal.aborted) continue;
		await pause(pauseMs, end);
		pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2);
	}
}

/** Whether nothing can be told any more: the actor is destroyed. */
function isForGood(data: string): boolean {
	const { group, code } = JSON.parse(data) as { readonly group: string; readonly code: string };
	return group === "actor" && code === "not_found";
}

function untilVisible(end: AbortSignal): Promise<void> {
	if (!document.hidden || end.aborted) return Promise.resolve();
	return new Promise((resolve) => {
		const done = () => {
			if (document.hidden && !end.aborted) return;
			document.removeEventListener("visibilitychange", done);
			end.removeEventListener("abort", done);
			resolve();
		};
		document.addEventListener("visibilitychange", done);
		end.addEventListener("abort", done);
	});
}

function pause(ms: number, end: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const timer = setTimeout(done, ms);
		function done() {
			clearTimeout(timer);
			end.removeEventListener("abort", done);
			resolve();
		}
		end.addEventListener("abort", done);
	});
}
