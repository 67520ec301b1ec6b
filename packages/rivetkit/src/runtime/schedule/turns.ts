import type { PendingCall } from "./pending-call.ts";

/** Whether runs of a job (by sequence) may be in progress at the same time. */
export type MayOverlap = (job: number) => boolean;

/**
 * Whose turn it is among the runs of jobs whose runs must not overlap: the first of each that has not
 * ended. One-shot calls and all other runs may begin at any time.
 */
export class Turns {
	readonly #first = new Map<number, number>();

	/** Runs in `beside` hold up nobody. */
	constructor(
		calls: Iterable<PendingCall>,
		mayOverlap: MayOverlap,
		beside: ReadonlySet<number> = new Set(),
	) {
		for (const { source, sequence } of calls) {
			if (source.kind !== "run" || beside.has(sequence) || mayOverlap(source.job)) continue;
			const first = this.#first.get(source.job);
			if (first === undefined || sequence < first) this.#first.set(source.job, sequence);
		}
	}

	/** Whether no earlier run of the same job holds this one up. */
	has({ source, sequence }: PendingCall): boolean {
		if (source.kind === "at") return true;
		const first = this.#first.get(source.job);
		return first === undefined || sequence <= first;
	}
}

/** Order of firing: earliest first, ties by insertion. A run was inserted when its job was. */
export function byDue(a: PendingCall, b: PendingCall): number {
	return a.dueAt - b.dueAt || insertion(a) - insertion(b) || a.sequence - b.sequence;
}

function insertion({ source, sequence }: PendingCall): number {
	return source.kind === "run" ? source.job : sequence;
}
