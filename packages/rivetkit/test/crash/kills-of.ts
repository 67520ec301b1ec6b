export interface PlannedKill<M> {
	readonly moment: M;
	/** Number of the commit since the start of the server, counted from 1. */
	readonly commit: number;
}

/**
 * When servers die. `plan`: at every second commit of each moment, the odd ones of one and the even ones of the next, so
 * that every moment and every number is met. `rest`: at the others. What a number means differs from round to round: the
 * backlog decides.
 */
export function killsOf<M>(
	moments: readonly M[],
	commits: number,
): { readonly plan: readonly PlannedKill<M>[]; readonly rest: readonly PlannedKill<M>[] } {
	const numbers = Array.from({ length: commits }, (_, at) => at + 1);
	const half = (remainder: number) =>
		moments.flatMap((moment, index) =>
			numbers
				.filter((commit) => (commit + index) % 2 === remainder)
				.map((commit) => ({ moment, commit })),
		);
	return { plan: half(1), rest: half(0) };
}
