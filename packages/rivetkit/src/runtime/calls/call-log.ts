import { type Clock, decodeCbor, encodeCbor, type WireError } from "@rivetkit/protocol";
import { type Reply, ReplyWindow } from "./reply-window.ts";

/** How a call ended. Errors are in the form that goes over the wire, masked where they must be. */
export type Outcome =
	| { readonly ok: true; readonly output: unknown }
	| { readonly ok: false; readonly error: WireError };

export type Settle = (outcome: Outcome) => void;

/**
 * Runs each identified call once: a repeated call gets the answer that was given, or waits for the one
 * that is being worked on. Calls without an id always run.
 */
export class CallLog {
	#window: ReplyWindow | null = null;
	readonly #running = new Map<string, Settle[]>();

	/** The answered calls; null until there is one. */
	get window(): ReplyWindow | null {
		return this.#window;
	}

	load(entries: readonly (readonly [number, Uint8Array])[], nowMs: number): void {
		if (entries.length === 0) return;
		this.#window = new ReplyWindow();
		this.#window.load(entries, nowMs);
	}

	/** `run` is called at most once per id and must settle once; `answer` is called once per caller. */
	once(callId: string, clock: Clock, run: (settle: Settle) => void, answer: Settle): void {
		const known = this.#window?.get(callId);
		if (known) {
			answer(outcomeOf(known));
			return;
		}
		const running = this.#running.get(callId);
		if (running) {
			running.push(answer);
			return;
		}
		const waiting = [answer];
		this.#running.set(callId, waiting);
		run((outcome) => {
			this.#running.delete(callId);
			const [reply, told] = remember(outcome);
			this.#window ??= new ReplyWindow();
			this.#window.add(callId, reply, clock.now());
			for (const caller of waiting) caller(told);
		});
	}
}

function outcomeOf(reply: Reply): Outcome {
	return reply.ok ? { ok: true, output: decodeCbor(reply.output) } : reply;
}

/** An output that cannot be encoded is left to the answer itself, which reports it as an error. */
function remember(outcome: Outcome): [Reply, Outcome] {
	if (!outcome.ok) return [outcome, outcome];
	try {
		return [{ ok: true, output: encodeCbor(outcome.output) }, outcome];
	} catch {
		return [UNENCODABLE, outcome];
	}
}

const UNENCODABLE: Reply = {
	ok: false,
	error: {
		group: "rivetkit",
		code: "internal_error",
		message: "Internal error. Read the server logs for more details.",
		metadata: {},
		statusCode: 500,
	},
};
