/** One signal for two, or `undefined` when there is none. */
export function anySignal(
	one: AbortSignal | undefined,
	other: AbortSignal | undefined,
): AbortSignal | undefined {
	return one && other ? AbortSignal.any([one, other]) : (one ?? other);
}

/** Rejects with the signal's reason as soon as it fires; the work itself goes on unobserved. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (!signal) return work;
	return new Promise<T>((resolve, reject) => {
		const onAbort = () => reject(signal.reason);
		if (signal.aborted) onAbort();
		signal.addEventListener("abort", onAbort);
		work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
	});
}
