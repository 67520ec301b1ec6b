import type { CommitBatch, Store } from "@rivetkit/engine";
import { createMemoryStore } from "@rivetkit/engine";
import { decodeCbor } from "@rivetkit/protocol";
import {
	entriesOf,
	SUBSPACE_STATE,
	WAKE_END,
	WAKE_START,
} from "../../src/runtime/commit/storage-layout.ts";
import { readState } from "../../src/runtime/instance/state-layout.ts";
import { Gate } from "./gate.ts";

/** A store whose commits a test can see, fail and hold back. Closing it does nothing: it can be reused. */
export class WrappedStore {
	readonly commits: CommitBatch[] = [];
	/** Asked before each commit; an error it returns is what the commit fails with. */
	fail: ((batch: CommitBatch) => Error | undefined) | null = null;
	readonly store: Store;
	readonly inner: Store;
	#held: Gate | null = null;
	#unanswered: Gate | null = null;
	#isGone = false;

	constructor(inner: Store = createMemoryStore()) {
		this.inner = inner;
		this.store = new Proxy(inner, {
			get: (target, property) => {
				if (property === "commit") return (batch: CommitBatch) => this.#commit(batch);
				if (property === "close") return async () => {};
				const member: unknown = Reflect.get(target, property);
				return typeof member === "function" ? member.bind(target) : member;
			},
		});
	}

	/** The state in the store, as the next incarnation would find it. */
	async stateOf(actorId: string): Promise<unknown> {
		const stored = await this.inner.scan(actorId, { start: WAKE_START, end: WAKE_END });
		const { bytes } = readState(entriesOf(stored, SUBSPACE_STATE));
		return bytes && decodeCbor(bytes);
	}

	/** Commits wait from now on; returns what lets them go on. */
	hold(): () => void {
		const gate = new Gate();
		this.#held = gate;
		return () => {
			this.#held = null;
			gate.open();
		};
	}

	/** Commits land, but whoever waits for them hears nothing from now on; returns what lets them hear. */
	holdAnswers(): () => void {
		const gate = new Gate();
		this.#unanswered = gate;
		return () => {
			this.#unanswered = null;
			gate.open();
		};
	}

	/** Nothing lands any more, neither what is held back: the process is gone. */
	abandon(): void {
		this.#isGone = true;
	}

	/** The next commit fails with `error`. */
	failNext(error: Error = new Error("disk full")): void {
		this.fail = () => {
			this.fail = null;
			return error;
		};
	}

	async #commit(batch: CommitBatch): Promise<void> {
		this.commits.push(batch);
		const error = this.fail?.(batch);
		await this.#held?.passed;
		if (this.#isGone) throw new Error("this process is gone");
		if (error) throw error;
		await this.inner.commit(batch);
		await this.#unanswered?.passed;
	}
}
