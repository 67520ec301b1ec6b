/** Goes on with the next iteration. Hand-written objects of this shape are fine. */
export interface LoopContinue<S> {
	readonly continue: true;
	readonly state: S;
}

/** Ends the loop with a value. Hand-written objects of this shape are fine. */
export interface LoopBreak<T> {
	readonly break: true;
	readonly value: T;
}

/** What the body of a loop returns; nothing at all continues a loop without state. */
export type LoopResult<S, T> = LoopContinue<S> | LoopBreak<T>;

function continueWith(): LoopContinue<undefined>;
function continueWith<S>(state: S): LoopContinue<S>;
function continueWith(state?: unknown): LoopContinue<unknown> {
	return { continue: true, state };
}

function breakWith(): LoopBreak<undefined>;
function breakWith<T>(value: T): LoopBreak<T>;
function breakWith(value?: unknown): LoopBreak<unknown> {
	return { break: true, value };
}

/** Results of a loop's body. */
export const Loop: {
	/** Next iteration, with this state. */
	readonly continue: typeof continueWith;
	/** End of the loop, with this value. */
	readonly break: typeof breakWith;
} = { continue: continueWith, break: breakWith };
