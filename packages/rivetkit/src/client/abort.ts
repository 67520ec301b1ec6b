/** What an aborted operation rejects with: the signal's reason (contract: api 15.6). */
export function abortReason(signal: AbortSignal): unknown {
	return signal.reason ?? new DOMException("This operation was aborted", "AbortError");
}

/** Throws the signal's reason when it has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
	if (signal?.aborted) throw abortReason(signal);
}

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
		const onAbort = () => reject(abortReason(signal));
		if (signal.aborted) onAbort();
		else signal.addEventListener("abort", onAbort, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
	});
}
