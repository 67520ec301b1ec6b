const logged = new WeakSet<object>();

/**
 * Notes that a log has an error, with all that is known of it: whoever it is passed on to need not log it again. Of a
 * thrown value that is no object nothing can be noted.
 */
export function noteLogged(error: unknown): void {
	if (isObject(error)) logged.add(error);
}

/** Whether {@link noteLogged} was told of this very error. */
export function isLogged(error: unknown): boolean {
	return isObject(error) && logged.has(error);
}

function isObject(value: unknown): value is object {
	return (typeof value === "object" && value !== null) || typeof value === "function";
}
