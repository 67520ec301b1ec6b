import { Activity } from "../engine/activity.ts";
import { codeError, isCodeError } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { carryOrigin } from "../engine/failure-origin.ts";
import type { Scope } from "../engine/scope.ts";
import { endScope, failScope, strandEnded } from "../engine/scope-ends.ts";
import { Strand } from "../engine/strand.ts";
import { type Entry, readyPart, readyTsOf, steplessPart } from "../history/entry.ts";
import { type Location, OUTCOME_ID } from "../history/location.ts";
import { reviveError, storeError } from "../history/stored-error.ts";
import { RETURNED_MAX, recall, unusedPart } from "./unused-messages.ts";
import { checkSize, readValue, recordValue } from "./value.ts";

/** How a branch ended. */
export type BranchEnd =
	| { readonly ok: true; readonly bytes: Uint8Array | undefined; readonly value: unknown }
	| { readonly ok: false; readonly error: Error };

/** One branch of a join or race: a strand and a scope of its own. */
export class Branch {
	readonly name: string;
	readonly strand: Strand;
	readonly #execution: Execution;
	readonly #parent: Scope;
	readonly #location: Location;
	readonly #run: (scope: Scope) => unknown;
	scope: Scope | null = null;

	constructor(
		execution: Execution,
		parent: Scope,
		composite: Location,
		name: string,
		run: (scope: Scope) => unknown,
		activity: Activity = parent.strand.activity,
	) {
		this.#execution = execution;
		this.#parent = parent;
		this.name = name;
		this.#location = composite.child({ kind: "name", name });
		this.#run = run;
		const { isLive } = parent.strand;
		this.strand = new Strand(parent.strand, activity, isLive, execution.host);
	}

	get location(): Location {
		return this.#location;
	}

	/**
	 * Runs the branch, unless its end is recorded, and records how it ended (`recordsEnd`). Never settles
	 * when it does not go on.
	 */
	async run({ isNew, recordsEnd }: { isNew: boolean; recordsEnd: boolean }): Promise<BranchEnd> {
		const execution = this.#execution;
		const scope = await execution.openScope(this.#parent, this.#location, {
			isNew,
			strand: this.strand,
		});
		this.scope = scope;
		const outcome = scope.records?.get(OUTCOME_ID);
		if (outcome?.is("outcome") && !execution.isRollback) {
			this.#countKept(outcome);
			if (!outcome.data.isStepless) this.strand.keepReceived();
			const recalling = recall(execution, this.strand, outcome.data.unused);
			if (recalling) await recalling;
			if (execution.isStoppedFor(this.strand)) return new Promise(() => {});
			this.strand.ready(readyTsOf(outcome)!);
			this.strand.isLive = false;
			strandEnded(execution, this.strand);
			return this.#over(readEnd(outcome));
		}
		const end = await this.#runToEnd(scope);
		if (execution.isStoppedFor(this.strand)) return new Promise(() => {});
		if (end.ok) endScope(execution, scope);
		else failScope(execution, scope, end.error);
		if (recordsEnd && !execution.isRollback) this.#record(scope, end);
		strandEnded(execution, this.strand);
		return this.#over(end);
	}

	#over(end: BranchEnd): BranchEnd {
		this.strand.end();
		return end;
	}

	async #runToEnd(scope: Scope): Promise<BranchEnd> {
		const { host } = this.#execution;
		try {
			const value = await host.runInBranch(this.strand, () => this.#run(scope));
			return { ok: true, ...this.#recordable(value) };
		} catch (error) {
			if (isCodeError(error)) throw error;
			// What is thrown now is what a replay throws.
			return { ok: false, error: carryOrigin(error, reviveError(storeError(error))) };
		}
	}

	#recordable(value: unknown): ReturnType<typeof recordValue> {
		const { owner, host } = this.#execution;
		const recorded = this.#encoded(host, value);
		checkSize(recorded, this.#location.path, owner.maxEntrySize);
		return recorded;
	}

	#encoded(host: Execution["host"], value: unknown): ReturnType<typeof recordValue> {
		try {
			return recordValue(host, value);
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			throw codeError(
				new TypeError(`The result of branch "${this.#location.path}" cannot be stored: ${reason}`),
			);
		}
	}

	#record(scope: Scope, end: BranchEnd): void {
		const execution = this.#execution;
		const kept = scope.compensable;
		const outcome = execution.create(scope, "outcome", {
			...(end.ok && end.bytes !== undefined ? { output: end.bytes } : undefined),
			...(kept > 0 ? { compensable: kept } : undefined),
		});
		if (!end.ok) outcome.error = storeError(end.error);
		execution.complete(scope, outcome, end.ok ? "completed" : "failed");
		Object.assign(
			outcome.data,
			readyPart(this.strand.readyTs, outcome.completedAt),
			steplessPart(this.strand, 0),
			unusedPart(this.strand.received),
		);
		execution.record(scope, execution.key(scope, { kind: "outcome" }), outcome);
	}

	#countKept({ data: { compensable = 0 } }: Entry<"outcome">): void {
		for (let scope: Scope | null = this.scope; scope !== null; scope = scope.parent) {
			scope.compensable += compensable;
		}
	}
}

function readEnd(outcome: Entry<"outcome">): BranchEnd {
	if (outcome.error) return { ok: false, error: reviveError(outcome.error) };
	const bytes = outcome.data.output;
	return { ok: true, bytes, value: readValue(bytes) };
}

/**
 * What branches came to is decided: what is around them has what they have received. Returns which of them have records
 * that stay, to be undone or for their messages, and what the record of it says of that.
 */
export function settleBranches(strand: Strand, branches: readonly Branch[]): SettledBranches {
	const kept = branches.filter(({ scope }) => scope !== null && scope.compensable > 0);
	const received =
		strand.parent === null ? [] : branches.filter((of) => of.strand.received.length > 0);
	const receipts = strand.adopt(
		branches.map((branch) => branch.strand),
		RETURNED_MAX,
	);
	return {
		staying: new Set([...kept, ...received]),
		data: {
			...(kept.length > 0 ? { kept: kept.map(({ name }) => name) } : undefined),
			...unusedPart(receipts),
		},
	};
}

interface SettledBranches {
	readonly staying: ReadonlySet<Branch>;
	readonly data: { readonly kept?: string[]; readonly unused?: Uint8Array[] };
}

/** What branches came to is in the record of what is around them: their own go, but for those of `staying`. */
export function forgetBranches(
	execution: Execution,
	composite: Location,
	branches: readonly Branch[],
	staying: ReadonlySet<Branch>,
): void {
	const going = branches.filter((branch) => !staying.has(branch));
	// Those that failed or lost did not come to their end; no record of theirs is written again.
	for (const { scope } of going) if (scope) scope.hasEnded = true;
	if (staying.size === 0) {
		execution.deleteBelow(composite);
		return;
	}
	for (const { location } of going) execution.deleteScope(location);
}

/** For a rollback's replay: runs branches until each has come to its end or waits for what does not come. */
export async function visitBranches(
	execution: Execution,
	scope: Scope,
	composite: Location,
	branches: readonly { readonly name: string; readonly run: (scope: Scope) => unknown }[],
): Promise<void> {
	const visits = branches.map(
		({ name, run }) =>
			new Promise<void>((resolve) => {
				const activity = new Activity(scope.strand.activity, {
					activityChanged: (isIdle) => {
						if (isIdle) resolve();
					},
				});
				const branch = new Branch(execution, scope, composite, name, run, activity);
				branch
					.run({ isNew: false, recordsEnd: false })
					.catch((error: unknown) => void execution.block(error));
			}),
	);
	await Promise.all(visits);
}
