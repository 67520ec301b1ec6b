import type { CommitBatch, Store } from "@rivetkit/engine";
import { createMemoryStore } from "@rivetkit/engine";
import { decodeCbor } from "@rivetkit/protocol";
import {
	RUNTIME_END,
	readRuntimeData,
	STATE_KEY,
} from "../../src/runtime/commit/storage-layout.ts";
import { Gate } from "./gate.ts";

/** A store whose commits a test can see, fail and hold back. Closing it does nothing: it can be reused. */
export class WrappedStore {
	readonly commits: CommitBatch[] = [];
	/** Asked before each commit; an error it returns is what the commit fails with. */
	fail: ((batch: CommitBatch) => Error | undefined) | null = null;
	readonly store: Store;
	readonly inner: Store;
	#held: Gate | null = null;

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
		const range = { start: STATE_KEY, end: RUNTIME_END };
		const { state } = readRuntimeData(await this.inner.scan(actorId, range));
		return state && decodeCbor(state);
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
		if (error) throw error;
		await this.inner.commit(batch);
	}
}
