/**
 * A signal that aborts as soon as one of the given ones does, with its reason. Missing ones are left
 * out; without any it never aborts.
 */
export function joinSignals(...signals: readonly (AbortSignal | null | undefined)[]): AbortSignal {
	return AbortSignal.any(signals.filter((signal) => signal != null));
}
