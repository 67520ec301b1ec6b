/** Whether `error` says no more than that the caller, whose signal this is, went away: no error of ours. */
export function isCallerGone(error: unknown, signal: () => AbortSignal): boolean {
	return error instanceof DOMException && error.name === "AbortError" && signal().aborted;
}
