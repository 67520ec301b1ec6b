import { decodeCbor, encodeCbor, type StorageOp, type WireError } from "@rivetkit/protocol";
import type { StoredEntries } from "../commit/storage-layout.ts";
import { replyKey, replySequence } from "./reply-layout.ts";

/** How many answered calls an actor remembers at the most. */
export const REPLIES_MAX = 4096;
/** How many bytes of answers an actor remembers at the most. */
export const REPLY_BYTES_MAX = 1024 * 1024;
/** Larger answers are not kept themselves; see `keptReply` (bytes). */
export const REPLY_KEPT_BYTES_MAX = 16 * 1024;
/** How long an answer is remembered at the least, while the other two bounds allow it (ms). */
export const REPLY_AGE_MS = 5 * 60_000;

/** What a call was answered with. Output is kept encoded, errors as they go over the wire. */
export type Reply =
	| { readonly ok: true; readonly output: Uint8Array }
	| {
			readonly ok: false;
			readonly error: WireError;
			/** Of its encoding (bytes). */
			readonly size: number;
	  };

/**
 * An error as it is now: its metadata is the author's object, which may become anything before the answer is stored or
 * told again. Throws when it cannot be encoded.
 */
export function errorReply(error: WireError): Reply & { readonly ok: false } {
	const encoded = encodeCbor(error);
	return { ok: false, error: decodeCbor(encoded) as WireError, size: encoded.byteLength };
}

/**
 * Which calls this actor has answered, and with what. A client that lost the connection before the
 * answer repeats the call with the same id and gets the same answer; the handler does not run twice.
 *
 * Answers are stored in the same commit as the effects of the call, so that a crash between the two is
 * impossible. A call that wrote nothing is remembered in memory only: running it again changes nothing
 * that is stored.
 */
export class ReplyWindow {
	readonly #replies = new Map<string, Remembered>();
	#bytes = 0;
	/** Answered since the last batch was taken, and still remembered. */
	readonly #fresh = new Set<string>();
	/** Answered in the batch that is being committed. */
	#committing: string[] = [];
	#nextSequence = 0;
	/** Stored entries still needed, oldest first: sequence and how many of its calls are remembered. */
	readonly #stored = new Map<number, number>();
	/** Stored entries nobody needs any more, and those whose deletion is being committed. */
	#obsolete: number[] = [];
	#deleting: number[] = [];

	/** Adopts what an earlier incarnation stored. */
	load(entries: StoredEntries, nowMs: number): void {
		for (const [key, value] of entries) {
			const sequence = replySequence(key);
			this.#nextSequence = Math.max(this.#nextSequence, sequence + 1);
			const calls = decodeCbor(value) as StoredCall[];
			let kept = 0;
			for (const [callId, atMs, ok, body] of calls) {
				if (nowMs - atMs > REPLY_AGE_MS) continue;
				const reply: Reply = ok
					? { ok: true, output: body as Uint8Array }
					: errorReply(body as WireError);
				this.#remember(callId, { reply, atMs, sequence, bytes: replyBytes(callId, reply) });
				kept++;
			}
			if (kept > 0) this.#stored.set(sequence, kept);
			else this.#obsolete.push(sequence);
		}
	}

	get(callId: string): Reply | undefined {
		return this.#replies.get(callId)?.reply;
	}

	get size(): number {
		return this.#replies.size;
	}

	/** How many answers the next batch would store. Never more than are remembered. */
	get unstoredCount(): number {
		return this.#fresh.size;
	}

	add(callId: string, reply: Reply, nowMs: number): void {
		this.#remember(callId, {
			reply,
			atMs: nowMs,
			sequence: null,
			bytes: replyBytes(callId, reply),
		});
		this.#fresh.add(callId);
		this.#forgetOldest(nowMs);
	}

	/** Adds the writes that make the answers since the last batch durable, and drop the forgotten ones. */
	take(ops: StorageOp[]): void {
		// Most commits are of something else.
		if (this.#fresh.size === 0 && this.#obsolete.length === 0) return;
		const calls: StoredCall[] = [];
		const sequence = this.#nextSequence;
		for (const callId of this.#fresh) {
			const remembered = this.#replies.get(callId);
			if (!remembered || remembered.sequence !== null) continue;
			remembered.sequence = sequence;
			const { reply } = remembered;
			calls.push([callId, remembered.atMs, reply.ok, reply.ok ? reply.output : reply.error]);
		}
		this.#committing = [...this.#fresh];
		this.#fresh.clear();
		if (calls.length > 0) {
			this.#nextSequence++;
			this.#stored.set(sequence, calls.length);
			ops.push({ op: "put", key: replyKey(sequence), value: encodeCbor(calls) });
		}
		for (const gone of this.#obsolete) ops.push({ op: "delete", key: replyKey(gone) });
		this.#deleting = this.#obsolete;
		this.#obsolete = [];
	}

	/** The batch of the last {@link take} is durable. */
	committed(): void {
		if (this.#committing.length > 0) this.#committing = [];
		if (this.#deleting.length > 0) this.#deleting = [];
	}

	/** Forgets the answers that did not become durable: their effects were rolled back with them. */
	rollBack(): void {
		for (const callId of this.#committing) this.#forget(callId);
		for (const callId of this.#fresh) this.#forget(callId);
		this.#committing = [];
		this.#fresh.clear();
		this.#obsolete.push(...this.#deleting);
		this.#deleting = [];
	}

	#remember(callId: string, remembered: Remembered): void {
		this.#replies.set(callId, remembered);
		this.#bytes += remembered.bytes;
	}

	#forgetOldest(nowMs: number): void {
		for (const [callId, { atMs }] of this.#replies) {
			const tooMany = this.#replies.size > REPLIES_MAX || this.#bytes > REPLY_BYTES_MAX;
			if (!tooMany && nowMs - atMs <= REPLY_AGE_MS) return;
			this.#forget(callId);
		}
	}

	#forget(callId: string): void {
		const remembered = this.#replies.get(callId);
		if (!remembered) return;
		this.#replies.delete(callId);
		this.#fresh.delete(callId);
		this.#bytes -= remembered.bytes;
		const { sequence } = remembered;
		if (sequence === null) return;
		const left = (this.#stored.get(sequence) ?? 1) - 1;
		if (left > 0) {
			this.#stored.set(sequence, left);
		} else {
			this.#stored.delete(sequence);
			this.#obsolete.push(sequence);
		}
	}
}

type StoredCall = [callId: string, atMs: number, ok: boolean, body: unknown];

interface Remembered {
	readonly reply: Reply;
	readonly atMs: number;
	readonly bytes: number;
	/** The stored entry that holds it; null while it is in memory only. */
	sequence: number | null;
}

/** What an answer takes, its id apart (bytes). */
export function replySize(reply: Reply): number {
	return reply.ok ? reply.output.byteLength : reply.size;
}

function replyBytes(callId: string, reply: Reply): number {
	return callId.length + replySize(reply);
}
