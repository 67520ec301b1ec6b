import type { CommitBatch, Store } from "@rivetkit/engine";

const never = () => new Promise<never>(() => {});

/**
 * One process's view of a store that outlives it. Commits take a few turns of the event loop. After the
 * crash nothing gets through any more, in either direction: what was not applied by then is lost.
 */
export class CrashableStore {
	readonly store: Store;
	#crashed = false;
	#commits = 0;

	constructor(inner: Store) {
		this.store = new Proxy(inner, {
			get: (target, property) => {
				if (property === "commit") return (batch: CommitBatch) => this.#commit(target, batch);
				if (property === "close") return async () => {};
				const member: unknown = Reflect.get(target, property);
				if (typeof member !== "function") return member;
				return (...args: unknown[]) => (this.#crashed ? never() : member.apply(target, args));
			},
		});
	}

	crash(): void {
		this.#crashed = true;
	}

	async #commit(inner: Store, batch: CommitBatch): Promise<void> {
		const turns = this.#commits++ % 4;
		for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
		if (this.#crashed) return never();
		await inner.commit(batch);
		for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
		if (this.#crashed) return never();
	}
}
