import type { Store } from "@rivetkit/engine";
import { type Clock, type StorageOp, systemClock } from "@rivetkit/protocol";
import type { FakeClock } from "../../support/fake-clock.ts";
import { WrappedStore } from "../../support/store-wrapper.ts";
import { TestRuntime } from "../../support/test-runtime.ts";
import {
	type WireSend,
	type WireSendAnswer,
	wireAction,
	wireSend,
} from "../../support/wire-http.ts";

/** What one write is about; null for what is not of interest. */
function kindOf(op: StorageOp): string | null {
	if (op.op === "deleteRange") return null;
	const [subspace, kind] = op.key;
	if (subspace === 0x01) return `${op.op} state`;
	if (subspace === 0x05 && kind === 0x01) return `${op.op} message ${op.key.at(-1)}`;
	if (subspace === 0x05 && kind === 0x02) return `${op.op} answer`;
	return null;
}

/** Actors over one store whose process can "crash": the next one finds what was durable, and no more. */
export class Crashable {
	store = new WrappedStore();
	readonly #use: Readonly<Record<string, { readonly config: object }>>;
	readonly #clock: FakeClock | undefined;
	readonly #all: TestRuntime[] = [];
	/** Cuts the process that runs now off from its store and its callers. */
	#cut: () => void = () => {};
	#callers = new AbortController();
	id = "";

	constructor(use: Readonly<Record<string, { readonly config: object }>>, clock?: FakeClock) {
		this.#use = use;
		this.#clock = clock;
	}

	/** Starts with the actor of this name there. */
	static async start(
		use: Readonly<Record<string, { readonly config: object }>>,
		clock?: FakeClock,
	): Promise<Crashable> {
		const crashable = new Crashable(use, clock);
		await crashable.restart();
		crashable.id = await crashable.runtime.actorId(Object.keys(use)[0]!);
		return crashable;
	}

	get runtime(): TestRuntime {
		return this.#all.at(-1)!;
	}

	/** Leaves the process as it is, cut off from its store, and starts the next one. */
	async restart(): Promise<void> {
		this.#cut();
		const clock = endable(this.#clock ?? systemClock());
		this.store = new WrappedStore(this.store.inner);
		const { store, cut } = detachable(this.store.store);
		const callers = new AbortController();
		this.#cut = () => {
			cut();
			clock.end();
			callers.abort(new Error("the server crashed"));
		};
		const runtime = await TestRuntime.start(this.#use, { store, clock });
		// Together: a call until now goes to the process that crashed, and must end with it.
		this.#all.push(runtime);
		this.#callers = callers;
	}

	/** {@link restart}, and makes the actor live there. */
	async crash(): Promise<void> {
		await this.restart();
		await this.wake();
	}

	async wake(): Promise<void> {
		await fetch(`${this.runtime.url}/gateway/${this.id}/health`);
	}

	async call(action: string, ...args: unknown[]): Promise<unknown> {
		const { signal } = this.#callers;
		const answer = await wireAction(this.runtime, this.id, action, args, {
			encoding: "cbor",
			signal,
		});
		if (answer.error) throw answer.error;
		return answer.output;
	}

	send(name: string, body: unknown, options: WireSend = {}): Promise<WireSendAnswer> {
		const { signal } = this.#callers;
		return wireSend(this.runtime, this.id, name, body, { encoding: "cbor", signal, ...options });
	}

	/** Ids of the messages in the store. */
	async stored(): Promise<number[]> {
		const range = { start: Uint8Array.of(0x05, 0x01), end: Uint8Array.of(0x05, 0x02) };
		const entries = await this.store.inner.scan(this.id, range);
		return entries.map(([key]) => key.at(-1)!);
	}

	/** What each commit since `from` wrote of state and messages; commits without either left out. */
	commits(from = 0): string[][] {
		return this.store.commits
			.slice(from)
			.map(({ ops }) => ops.map(kindOf).filter((kind) => kind !== null))
			.filter((kinds) => kinds.length > 0);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const runtime = this.#all.pop();
		await runtime?.[Symbol.asyncDispose]();
		// What crashed has nothing to save, and calls in progress that never end.
		for (const crashed of this.#all) await crashed.server.close();
	}
}

function gone(property: string | symbol): Promise<never> | undefined {
	// Only a hint; nobody waits for it.
	if (property === "endTurn") return undefined;
	return Promise.reject(new Error("this process is gone"));
}

/** A clock on which nothing happens any more once it has ended. */
function endable(inner: Clock): Clock & { end(): void } {
	let hasEnded = false;
	return {
		now: () => inner.now(),
		after: (delayMs, fn) =>
			inner.after(delayMs, () => {
				if (!hasEnded) fn();
			}),
		end: () => {
			hasEnded = true;
		},
	};
}

/** A store that can be taken away from whoever uses it. */
function detachable(inner: Store): { readonly store: Store; readonly cut: () => void } {
	let isCut = false;
	const store = new Proxy(inner, {
		get: (target, property) => {
			const member: unknown = Reflect.get(target, property);
			if (typeof member !== "function") return member;
			return (...args: unknown[]) =>
				isCut && property !== "close" ? gone(property) : Reflect.apply(member, target, args);
		},
	});
	return {
		store,
		cut: () => {
			isCut = true;
		},
	};
}
