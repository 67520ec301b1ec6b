import { ListenError, StoreError } from "../backends/embedded/engine.ts";

/**
 * Whether a start failed because of its surroundings (the data directory, the address), which the user
 * sets right without looking at our code. The message then says all there is to know.
 */
function isOfSurroundings(error: unknown): error is Error {
	return error instanceof StoreError || error instanceof ListenError;
}

/** What is printed of an error that ends a process: one sentence, or all there is of a bug. */
export function printable(error: unknown): unknown {
	return isOfSurroundings(error) ? `${error.name}: ${error.message}` : error;
}

/** Takes the stack frames off, because Node prints them when nobody catches the error. */
export function withoutFrames(error: unknown): unknown {
	if (!isOfSurroundings(error)) return error;
	for (let link: unknown = error; link instanceof Error; link = link.cause) {
		link.stack = `${link.name}: ${link.message}`;
	}
	return error;
}
