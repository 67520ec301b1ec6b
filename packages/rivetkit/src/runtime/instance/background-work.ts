import { SparseSet } from "../../utils/sparse-set.ts";
import { mayGoOn } from "../calls/call-scope.ts";
import type { ActorInstance } from "./instance.ts";

/** Promises that the actor's code has handed over: `c.waitUntil`, `c.keepAwake`. */
export class BackgroundWork {
	readonly #instance: ActorInstance;
	/** Those that stopping waits for. Made with the first. */
	#promises: SparseSet<Promise<unknown>> | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** How many promises stopping waits for. */
	get size(): number {
		return this.#promises?.size ?? 0;
	}

	waitUntil(promise: PromiseLike<unknown>): void {
		mayGoOn();
		assertNoFunction("c.waitUntil", promise);
		this.#add(
			Promise.resolve(promise).then(undefined, (error: unknown) =>
				this.#instance.log.error({ err: error }, "a promise given to waitUntil was rejected"),
			),
		);
	}

	keepAwake<T>(promise: PromiseLike<T>): Promise<T> {
		mayGoOn();
		assertNoFunction("c.keepAwake", promise);
		const instance = this.#instance;
		instance.work.begin("keepAwake");
		const passed = Promise.resolve(promise).finally(() => {
			instance.work.end("keepAwake");
			instance.writes.saveSoon();
		});
		// Nobody has to look at what this returns, so a rejection must not end the process.
		const settled = passed.then(
			() => {},
			(error: unknown) => {
				instance.log.error({ err: error }, "a promise given to keepAwake was rejected");
			},
		);
		if (instance.isStopping) this.#add(settled);
		return passed;
	}

	/** Resolves when nothing is left, what is handed over meanwhile included. */
	async done(): Promise<void> {
		while (this.#promises !== null && this.#promises.size > 0) await Promise.all(this.#promises);
	}

	/** @param promise - one that does not reject */
	#add(promise: Promise<unknown>): void {
		this.#promises ??= new SparseSet();
		const promises = this.#promises;
		const settled = promise.finally(() => {
			promises.delete(settled);
			this.#instance.writes.saveSoon();
		});
		promises.add(settled);
	}
}

/** Work that nobody begins would be waited for by nobody, and silently. */
function assertNoFunction(method: string, promise: unknown): void {
	if (typeof promise !== "function") return;
	throw new TypeError(`${method} takes a promise, not a function: ${method}(work())`);
}
