import { ListenError, StoreError } from "../backends/embedded/engine.ts";
import { EnvironmentError } from "../config/config-error.ts";

/**
 * Whether a start failed because of its surroundings (environment, data directory, address), which the user
 * sets right without looking at our code. The message then says all there is to know.
 */
function isOfSurroundings(error: unknown): error is Error {
	return (
		error instanceof StoreError || error instanceof ListenError || error instanceof EnvironmentError
	);
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

/** Errors that are thrown while nothing of the registry listens for those that nobody catches. */
const told = new WeakSet<Error>();

/**
 * As {@link withoutFrames}, for what is thrown before there is a registry: if nobody catches it, Node prints it, around
 * it a place in its own code. Then the sentence alone is printed, unless the program looks at such errors itself.
 */
export function plainly(error: unknown): unknown {
	if (!(error instanceof EnvironmentError)) return error;
	told.add(error);
	if (!process.listeners?.("uncaughtExceptionMonitor").includes(tell)) {
		process.on?.("uncaughtExceptionMonitor", tell);
	}
	return withoutFrames(error);
}

function tell(error: Error): void {
	if (!told.has(error) || process.listenerCount("uncaughtException") > 0) return;
	console.error(printable(error));
	process.exit(1);
}
