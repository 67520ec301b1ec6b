import type { Clock, Random, Timer } from "@rivetkit/protocol";
import { untilAborted } from "../../abort.ts";
import { ActorError } from "../../errors.ts";
import { Unanswered } from "./exchange.ts";

/** How often one call is tried at the most. With the delays below, for about nine seconds. */
export const TRIES_MAX = 10;
const DELAY_FIRST_MS = 50;
const DELAY_MAX_MS = 2_000;

/** The gateway ended a call that took longer than one request may. */
const WAITED_TOO_LONG = "guard.request_timeout";

/** A wait that went on for this long had found its peer: its tries are counted anew. */
const FOUND_AFTER_MS = 5_000;

/** Failures of engines and hosts on their way up or down (contract: protocol 8.5). */
const TRANSIENT_CODES = new Set([
	"actor.restarting",
	"guard.service_unavailable",
	"guard.actor_wake_retries_exceeded",
	"guard.actor_stopped_while_waiting",
	"guard.tunnel_request_aborted",
	"guard.tunnel_message_timeout",
	"guard.tunnel_response_closed",
	"guard.gateway_response_start_timeout",
]);

/**
 * Tries a call until it has an answer, for peers that recognise the repetition of a call (T2). Waits
 * 50 ms doubling to 2 s in between, each shortened by up to half so that clients spread out. Rejects
 * with the last failure, or with the signal's reason after an abort.
 *
 * A call that `waits` for something to happen may take longer than its connections: it goes on over as
 * many as it needs, as long as each try finds the peer again.
 */
export async function untilAnswered<T>(
	tryOnce: () => Promise<T>,
	environment: { readonly clock: Clock; readonly random: Random },
	signal: AbortSignal | undefined,
	waits = false,
): Promise<T> {
	for (let tryCount = 1; ; tryCount++) {
		const beganMs = environment.clock.now();
		try {
			return await tryOnce();
		} catch (error) {
			if (waits && environment.clock.now() - beganMs >= FOUND_AFTER_MS) tryCount = 1;
			if (tryCount >= TRIES_MAX || !isTransient(error, waits)) throw error;
		}
		const delayMs = Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** (tryCount - 1));
		await pause(environment.clock, delayMs * (1 - environment.random.fraction() / 2), signal);
	}
}

function isTransient(error: unknown, waits: boolean): boolean {
	if (error instanceof ActorError) {
		const code = `${error.group}.${error.code}`;
		return TRANSIENT_CODES.has(code) || (waits && code === WAITED_TOO_LONG);
	}
	return error instanceof Unanswered;
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
	let timer: Timer | undefined;
	const over = new Promise<void>((resolve) => {
		timer = clock.after(delayMs, resolve);
	});
	return untilAborted(over, signal).finally(() => timer?.stop());
}
