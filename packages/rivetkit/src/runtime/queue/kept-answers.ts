import { decodeCbor, encodeCbor, type StorageOp } from "@rivetkit/protocol";
import type { Incarnation } from "../../backends/backend.ts";
import { SparseMap } from "../../utils/sparse-map.ts";
import { ANSWER_BYTES_MAX, ANSWER_KEPT_MS, ANSWERS_KEPT_MAX } from "./limits.ts";
import type { StorageReads } from "./message-bodies.ts";
import { answerKey, joinChunks, responseRows } from "./queue-layout.ts";

/** What became of a message whose sender waits. */
export type SendOutcome =
	| {
			readonly status: "completed";
			/** CBOR of what the consumer passed to `complete`; null for nothing. */
			readonly response: Uint8Array | null;
	  }
	/** It was not handed out before its time to live was over. */
	| { readonly status: "timedOut" }
	/** It was given up after this many deliveries. */
	| { readonly status: "givenUp"; readonly queue: string; readonly attempts: number };

/** What a message is removed with that was received for good, or completed with nothing. */
export const COMPLETED: SendOutcome = { status: "completed", response: null };

/** A completion that is kept, without its response. */
interface KeptAnswer {
	readonly sequence: number;
	/** Its id; null in what an older version wrote. */
	readonly messageId: number | null;
	readonly waitKey: string;
	readonly atMs: number;
	readonly status: SendOutcome["status"];
	/** Bytes of the response; -1 when there is none. */
	readonly size: number;
	readonly queue: string;
	readonly attempts: number;
}

type StoredAnswer = [
	waitKey: string,
	atMs: number,
	status: SendOutcome["status"],
	size: number,
	queue: string,
	attempts: number,
	messageId?: number,
];

/**
 * Completions for senders that lost their connection before they heard of them (lifecycle W-Q-5), and come again with
 * the key of their send or with the dedupe key of the message. Each is written in the commit that removes its message, so
 * there is none between the two.
 */
export class KeptAnswers {
	readonly #store: StorageReads;
	readonly #actor: Incarnation;
	/** Durable ones, oldest first. */
	readonly #kept = new SparseMap<string, KeptAnswer>();
	readonly #byMessage = new SparseMap<number, KeptAnswer>();
	#bytes = 0;
	#nextSequence = 0;
	#ops: StorageOp[] = [];
	#open: KeptAnswer[] = [];
	#taken: KeptAnswer[] = [];
	/** Of those that are not durable yet. */
	#comingBytes = 0;

	constructor(store: StorageReads, actor: Incarnation) {
		this.#store = store;
		this.#actor = actor;
	}

	/** Adopts what an earlier incarnation kept. */
	load(sequence: number, value: Uint8Array): void {
		const [waitKey, atMs, status, size, queue, attempts, messageId = null] = decodeCbor(
			value,
		) as StoredAnswer;
		this.#add({ sequence, messageId, waitKey, atMs, status, size, queue, attempts });
		this.#nextSequence = Math.max(this.#nextSequence, sequence + 1);
	}

	/** When the oldest one is to be dropped; null for never. */
	get nextTs(): number | null {
		for (const { atMs } of this.#kept.values()) return atMs + ANSWER_KEPT_MS;
		return null;
	}

	/** Adds an answer to the next commit. */
	add(waitKey: string, messageId: number, outcome: SendOutcome, nowMs: number): void {
		const response = outcome.status === "completed" ? outcome.response : null;
		const [queue, attempts] =
			outcome.status === "givenUp" ? [outcome.queue, outcome.attempts] : ["", 0];
		const answer: KeptAnswer = {
			sequence: this.#nextSequence++,
			messageId,
			waitKey,
			atMs: nowMs,
			status: outcome.status,
			size: response?.byteLength ?? -1,
			queue,
			attempts,
		};
		const { status, size } = answer;
		const stored: StoredAnswer = [waitKey, nowMs, status, size, queue, attempts, messageId];
		this.#ops.push({ op: "put", key: answerKey(answer.sequence), value: encodeCbor(stored) });
		if (response) this.#ops.push(...responseRows.put(answer.sequence, response));
		this.#open.push(answer);
		this.#comingBytes += bytesOf(answer);
	}

	/** What became of a message is no longer that: it is in its queue again. Who sent it first may still be told. */
	forgetMessage(id: number): void {
		const kept = this.#byMessage.get(id);
		if (kept) {
			this.#byMessage.delete(id);
			this.#kept.set(kept.waitKey, this.#withoutMessage(kept));
		}
		const replace = (answer: KeptAnswer) =>
			answer.messageId === id ? this.#withoutMessage(answer) : answer;
		this.#open = this.#open.map(replace);
		this.#taken = this.#taken.map(replace);
	}

	#withoutMessage(answer: KeptAnswer): KeptAnswer {
		const { sequence, waitKey, atMs, status, size, queue, attempts } = answer;
		const stored: StoredAnswer = [waitKey, atMs, status, size, queue, attempts];
		this.#ops.push({ op: "put", key: answerKey(sequence), value: encodeCbor(stored) });
		return { ...answer, messageId: null };
	}

	/**
	 * Drops what is too old, and what is too much with those that come. Whether anything was dropped: the next
	 * commit deletes it.
	 */
	dropOld(nowMs: number): boolean {
		const before = this.#kept.size;
		const coming = this.#open.length + this.#taken.length;
		for (const answer of this.#kept.values()) {
			const tooMany =
				this.#kept.size + coming > ANSWERS_KEPT_MAX ||
				this.#bytes + this.#comingBytes > ANSWER_BYTES_MAX;
			if (!tooMany && nowMs < answer.atMs + ANSWER_KEPT_MS) break;
			this.#kept.delete(answer.waitKey);
			if (answer.messageId !== null) this.#byMessage.delete(answer.messageId);
			this.#bytes -= bytesOf(answer);
			this.#ops.push({ op: "delete", key: answerKey(answer.sequence) });
			if (answer.size >= 0) this.#ops.push(...responseRows.delete(answer.sequence, answer.size));
		}
		return this.#kept.size < before;
	}

	has(waitKey: string): boolean {
		return this.#kept.has(waitKey);
	}

	/** The outcome that is kept for a send; null when there is none (any more). */
	async get(waitKey: string): Promise<SendOutcome | null> {
		const answer = this.#kept.get(waitKey);
		return answer ? this.#read(answer) : null;
	}

	/** What became of a message, as far as that is kept. */
	async ofMessage(id: number): Promise<SendOutcome | null> {
		const answer = this.#byMessage.get(id);
		return answer ? this.#read(answer) : null;
	}

	async #read(answer: KeptAnswer): Promise<SendOutcome> {
		const { status, sequence, size, queue, attempts } = answer;
		if (status === "givenUp") return { status, queue, attempts };
		if (status === "timedOut") return { status };
		if (size < 0) return { status, response: null };
		const keys = responseRows.keys(sequence, size);
		const chunks = await this.#store.get(this.#actor, keys);
		return { status, response: joinChunks(chunks, "queue completion") };
	}

	take(): StorageOp[] {
		const ops = this.#ops;
		this.#ops = [];
		this.#taken.push(...this.#open);
		this.#open = [];
		return ops;
	}

	committed(): void {
		for (const answer of this.#taken) {
			this.#comingBytes -= bytesOf(answer);
			this.#add(answer);
		}
		this.#taken = [];
	}

	/** What was dropped stays dropped in memory; its rows go with the next wake. */
	rollBack(): void {
		this.#ops = [];
		this.#open = [];
		this.#taken = [];
		this.#comingBytes = 0;
	}

	#add(answer: KeptAnswer): void {
		this.#kept.set(answer.waitKey, answer);
		if (answer.messageId !== null) this.#byMessage.set(answer.messageId, answer);
		this.#bytes += bytesOf(answer);
	}
}

function bytesOf({ size }: KeptAnswer): number {
	return Math.max(0, size);
}
