import { type CommitBatch, createMemoryStore, type Store } from "@rivetkit/engine";

export type Side = "before" | "after";

const never = () => new Promise<never>(() => {});

/**
 * One process's view of a store that outlives it. It can be told to die right before or right after one of
 * its commits: then nothing gets through any more, in either direction.
 */
export class MortalStore {
	readonly store: Store;
	readonly inner: Store;
	readonly commits: CommitBatch[] = [];
	/** Ranges and keys that were read since the start. */
	reads: { readonly what: "scan" | "get"; readonly count: number; readonly bytes: number }[] = [];
	isDead = false;
	/** Calls that are under way, but for commits. */
	#calls = 0;
	readonly died: Promise<void>;
	#fatal: { readonly commit: number; readonly side: Side } | null = null;
	#die!: () => void;

	constructor(inner: Store = createMemoryStore()) {
		this.inner = inner;
		this.died = new Promise((resolve) => {
			this.#die = resolve;
		});
		this.store = new Proxy(inner, {
			get: (target, property) => {
				if (property === "commit") return (batch: CommitBatch) => this.#commit(batch);
				if (property === "close") return async () => {};
				const member: unknown = Reflect.get(target, property);
				if (typeof member !== "function") return member;
				if (property === "scan" || property === "get") {
					return (...args: unknown[]) =>
						this.isDead ? never() : this.#read(property, Reflect.apply(member, target, args));
				}
				return (...args: unknown[]) =>
					this.isDead ? undead(property) : this.#track(Reflect.apply(member, target, args));
			},
		});
	}

	/** Whether something is asked for that is no commit. */
	get isAsked(): boolean {
		return this.#calls > 0;
	}

	/** Commits and reads so far. */
	get accesses(): number {
		return this.commits.length + this.reads.length;
	}

	/** Dies at the commit of this number, counted from 1. */
	dieAt(commit: number, side: Side): void {
		this.#fatal = { commit, side };
	}

	/** Does not die by itself any more. */
	spare(): void {
		this.#fatal = null;
	}

	die(): void {
		if (this.isDead) return;
		this.isDead = true;
		this.#die();
	}

	async #read(what: "scan" | "get", result: unknown): Promise<unknown> {
		const found = (await this.#track(result)) as unknown[];
		if (this.isDead) return never();
		const sizes = found.flat().map((bytes) => (bytes as Uint8Array | null)?.byteLength ?? 0);
		this.reads.push({ what, count: found.length, bytes: sizes.reduce((sum, n) => sum + n, 0) });
		return found;
	}

	#track<T>(result: T): T {
		if (!(result instanceof Promise)) return result;
		this.#calls++;
		const ended = () => void this.#calls--;
		result.then(ended, ended);
		return result;
	}

	async #commit(batch: CommitBatch): Promise<void> {
		if (this.isDead) return never();
		this.commits.push(batch);
		const isFatal = this.commits.length === this.#fatal?.commit;
		if (isFatal && this.#fatal?.side === "before") {
			this.die();
			return never();
		}
		await this.inner.commit(batch);
		if (isFatal) this.die();
		if (this.isDead) return never();
	}
}

function undead(property: string | symbol): Promise<never> | undefined {
	// Only a hint; nobody waits for it.
	return property === "endTurn" ? undefined : never();
}
