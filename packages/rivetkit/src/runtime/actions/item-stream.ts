import { isPromiseLike } from "../lifecycle/with-timeout.ts";

/** The call whose handler streams, as its stream needs it. */
export interface StreamingCall {
	isOver(): boolean;
	/** Runs code of the handler, whose writes are the call's. */
	enter<T>(work: () => T): T;
	/** Calls `begin` when no `c.atomic` is under way. */
	whenFree(begin: () => void): void;
	/** The handler is at work: its time limit runs, until {@link rest}. */
	begin(): void;
	rest(): void;
	/** Lets the value pass `onBeforeActionResponse`, unless something that was written is lost. */
	pass(value: unknown, then: (value: unknown) => void): void;
	/** What was written so far has left with an item: a failure does not take it back any more. */
	keep(): void;
	/** Fires the handler's abort signal. */
	abort(reason: unknown): void;
	/** Settles the call. */
	succeed(value: unknown): void;
	fail(error: unknown): void;
	/** What the handler threw when nobody waited for it any more. */
	threwLate(error: unknown): void;
}

/** Whether an action streams what it returned. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
	return (
		typeof value === "object" &&
		value !== null &&
		typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function"
	);
}

/**
 * What the handler of one call streams. Nothing is asked of it before a reader asks: between its items it
 * rests, for as long as the reader wants.
 */
export class ItemStream {
	readonly #call: StreamingCall;
	readonly #iterator: AsyncIterator<unknown>;
	#closed = false;

	constructor(call: StreamingCall, items: AsyncIterable<unknown>) {
		this.#call = call;
		this.#iterator = items[Symbol.asyncIterator]();
	}

	/**
	 * Asks for one item more, which is handed to `deliver`; or the call settles. Not to be called again
	 * before either.
	 */
	next(deliver: (item: unknown) => void): void {
		const call = this.#call;
		call.whenFree(() => {
			if (this.#closed || call.isOver()) return;
			call.begin();
			this.#enter(
				() => this.#iterator.next(),
				({ done, value }) => {
					if (this.#closed || call.isOver()) return;
					call.pass(value, (passed) => {
						if (done) {
							call.succeed(passed);
							return;
						}
						call.rest();
						deliver(passed);
					});
				},
			);
		});
	}

	/** An item, and all that was written before it, has left. */
	sent(): void {
		this.#call.keep();
	}

	/** An item could not leave. */
	fail(error: unknown): void {
		this.#call.fail(error);
	}

	/** Nobody reads on. The call is over when the handler has come to its end. */
	cancel(reason: unknown): void {
		const call = this.#call;
		if (this.#closed || call.isOver()) return;
		this.#closed = true;
		call.abort(reason);
		call.begin();
		this.#enter(
			() => this.#iterator.return?.(),
			() => call.succeed(undefined),
		);
	}

	/** The call has settled: a handler that has not come to its end does so now. */
	end(): void {
		if (this.#closed) return;
		this.#closed = true;
		const { threwLate } = this.#call;
		try {
			this.#call.enter(() => this.#iterator.return?.())?.then(undefined, threwLate);
		} catch (error) {
			threwLate(error);
		}
	}

	#enter<T>(work: () => T, then: (result: Awaited<T>) => void): void {
		const call = this.#call;
		try {
			const result = call.enter(work);
			if (isPromiseLike(result)) {
				result.then(then as (result: unknown) => void, (error) => call.fail(error));
			} else {
				then(result as Awaited<T>);
			}
		} catch (error) {
			call.fail(error);
		}
	}
}
