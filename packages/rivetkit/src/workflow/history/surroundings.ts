import type { Entry } from "./entry.ts";
import { pathOf } from "./located-entry.ts";
import type { Segment } from "./location.ts";
import type { StoredEntryAt } from "./rewind.ts";

interface WayOut {
	readonly scope: string;
	readonly entry: Entry;
	readonly isThrown: boolean;
}

/** Entries by where they are, to find those around others. */
export class Surroundings {
	readonly #byPath: ReadonlyMap<string, Entry>;
	/** Entries by the scope that they are in; and the order of the latest one that was begun. */
	readonly #scopes = new Map<string, StoredEntryAt[]>();
	readonly #latest = new Map<string, number>();

	constructor(located: readonly StoredEntryAt[]) {
		const entries = located.map(({ segments, entry }): [string, Entry] => {
			// How a branch ended stands for the branch.
			const path = entry.is("outcome") ? segments.slice(0, -1) : segments;
			return [pathOf(path), entry];
		});
		this.#byPath = new Map(entries);
		for (const at of located) {
			// How a scope ended is nothing that its code went on to.
			if (at.entry.is("outcome") || at.entry.is("start")) continue;
			const scope = scopeOf(at);
			const latest = this.#latest.get(scope) ?? 0;
			const others = this.#scopes.get(scope);
			if (others) others.push(at);
			else this.#scopes.set(scope, [at]);
			this.#latest.set(scope, Math.max(latest, at.entry.createdSequence));
		}
	}

	/** Whether the code has come to something behind what is around an entry: it has caught how that failed. */
	hasGoneOn({ segments }: StoredEntryAt): boolean {
		for (let length = 1; length < segments.length; length++) {
			const around = segments.slice(0, length);
			const entry = this.#byPath.get(pathOf(around));
			if (!entry || entry.is("outcome")) continue;
			const scope = pathOrRoot(around.slice(0, -1));
			if ((this.#latest.get(scope) ?? 0) > entry.createdSequence) return true;
		}
		return false;
	}

	/** Whether a wait for one message has thrown that its time was over, and nobody has gone on from that. */
	hasFailedByTime(at: StoredEntryAt): boolean {
		const { entry } = at;
		if (!entry.is("message") || entry.data.isBatch || !entry.data.hasTimedOut) return false;
		if (this.isPast(at)) return false;
		return this.#wayOut(at).every(
			({ scope, entry: thrower, isThrown }) =>
				isThrown || (this.#latest.get(scope) ?? 0) <= thrower.createdSequence,
		);
	}

	/** What code came to between a failure and throwing that on, in scopes that failed with it. */
	beforeThrownOn(at: StoredEntryAt): StoredEntryAt[] {
		return this.#wayOut(at)
			.filter(({ isThrown }) => isThrown)
			.flatMap(({ scope, entry }) =>
				(this.#scopes.get(scope) ?? []).filter(
					(later) => later.entry.createdSequence > entry.createdSequence,
				),
			);
	}

	/** An entry and those around it, from the inside; and whether the scope of each failed with what was thrown there. */
	#wayOut({ segments, entry: innermost }: StoredEntryAt): WayOut[] {
		const way: WayOut[] = [];
		let thrownTo = Number.POSITIVE_INFINITY;
		for (let length = segments.length; length > 0; length--) {
			const isInnermost = length === segments.length;
			const entry = isInnermost ? innermost : this.#byPath.get(pathOf(segments.slice(0, length)));
			if (!entry || entry.is("outcome")) continue;
			thrownTo = Math.min(thrownTo, thrownToOf(entry));
			const scope = pathOrRoot(segments.slice(0, length - 1));
			way.push({ scope, entry, isThrown: length - 1 >= thrownTo });
		}
		return way;
	}

	/**
	 * What ended with the messages of an entry given back, as a path: the join that has cancelled a branch with it, or else
	 * the scope that it is in.
	 */
	givenUpWith(at: StoredEntryAt): string {
		for (let length = at.segments.length - 1; length > 0; length--) {
			const path = pathOf(at.segments.slice(0, length));
			const entry = this.#byPath.get(path);
			if (!entry?.is("join") || entry.status !== "failed") continue;
			const branch = this.#byPath.get(pathOf(at.segments.slice(0, length + 1)));
			if (!branch?.is("outcome")) return path;
		}
		return scopeOf(at);
	}

	/** Whether something around an entry has come to its end, and not because it failed, or its iteration is over. */
	isPast(at: StoredEntryAt): boolean {
		return this.#hasEndedAround(at) || this.#passedLoop(at) !== null;
	}

	/** Where what has to be done again begins: at the step itself, if the code comes to it once more. */
	restartOfUndone(at: StoredEntryAt): string {
		const { segments } = at;
		const passed = this.#outermost(
			segments,
			(entry, next) => entry.status === "completed" || hasPassed(entry, next),
		);
		return passed ?? pathOf(segments);
	}

	/**
	 * Where what has lost its messages begins anew: a loop that has counted them will receive them again. Null when
	 * nobody waits for them any more: what was given up with them has ended, or is of an iteration that is over.
	 */
	restartOfReturned(at: StoredEntryAt): string | null {
		if (this.#hasEndedAround(at)) return null;
		const loop = this.#passedLoop(at);
		if (loop === null) return pathOf(at.segments);
		const givenUp = this.#outermost(
			at.segments,
			(entry) => entry.status === "failed" && (entry.is("join") || entry.is("race")),
		);
		return givenUp !== null && givenUp.length < loop.length ? loop : null;
	}

	#hasEndedAround({ segments }: StoredEntryAt): boolean {
		return this.#outermost(segments, (entry) => entry.status === "completed") !== null;
	}

	/** The outermost loop around an entry that has come to later iterations since. */
	#passedLoop({ segments }: StoredEntryAt): string | null {
		return this.#outermost(segments, hasPassed);
	}

	#outermost(
		segments: readonly Segment[],
		is: (entry: Entry, next: Segment | undefined) => boolean,
	): string | null {
		for (let length = 1; length < segments.length; length++) {
			const path = pathOf(segments.slice(0, length));
			const entry = this.#byPath.get(path);
			if (entry && is(entry, segments[length])) return path;
		}
		return null;
	}
}

function thrownToOf(entry: Entry): number {
	const isThrower = entry.is("step") || entry.is("message") || entry.is("join") || entry.is("race");
	return (isThrower ? entry.data.thrownTo : undefined) ?? Number.POSITIVE_INFINITY;
}

/** Whether a loop has left the iteration that is next on the way to an entry. */
function hasPassed(entry: Entry, next: Segment | undefined): boolean {
	if (!entry.is("loop") || next?.kind !== "iteration") return false;
	return next.iteration < entry.data.iteration;
}

function scopeOf({ segments }: StoredEntryAt): string {
	return pathOrRoot(segments.slice(0, -1));
}

function pathOrRoot(segments: readonly Segment[]): string {
	return segments.length === 0 ? "" : pathOf(segments);
}
