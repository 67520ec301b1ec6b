/** Calls `fn` in a later turn of the event loop. Taken at load, so that a test's fake timers do not hold it up. */
export const later: (fn: () => void) => void =
	typeof globalThis.setImmediate === "function"
		? globalThis.setImmediate
		: (fn) => {
				globalThis.setTimeout(fn, 0);
			};
