import { codeError, never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { noteOrigin } from "../engine/failure-origin.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { abandon, giveBack } from "../engine/scope-ends.ts";
import { HistoryDivergedError, RaceError } from "../errors.ts";
import { type Entry, readyPart, steplessPart } from "../history/entry.ts";
import { reviveError, storeError } from "../history/stored-error.ts";
import { Branch, type BranchEnd, forgetBranches, settleBranches, visitBranches } from "./branch.ts";
import { recall } from "./unused-messages.ts";
import { readValue } from "./value.ts";

export interface RaceBranchConfig {
	readonly name: string;
	readonly run: (scope: Scope) => unknown;
}

export interface RaceWinner {
	readonly winner: string;
	readonly value: unknown;
}

/** `race`: the first branch to succeed wins, and the others are given up (workflows 3.7). */
export function race(
	execution: Execution,
	scope: Scope,
	name: unknown,
	branches: readonly RaceBranchConfig[],
): Promise<RaceWinner> {
	return operate(execution, scope, "race", name, (entry, checkedName) =>
		new Race(execution, scope, checkedName, branches).run(entry),
	);
}

/** Turns that a decision waits for what was ready before: a branch may pass deadlines of the past without an end. */
const PRECEDED_TURNS_MAX = 10_000;

type Ended = { readonly branch: Branch; readonly end: BranchEnd };

class Race {
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #name: string;
	readonly #configs: readonly RaceBranchConfig[];
	readonly #key: Uint8Array;
	readonly #location: Scope["location"];
	readonly #stepsBefore: number;
	#branches: readonly Branch[] = [];
	readonly #ended: Ended[] = [];
	#isDeciding = false;
	#decided!: (winner: Ended | null) => void;

	constructor(
		execution: Execution,
		scope: Scope,
		name: string,
		configs: readonly RaceBranchConfig[],
	) {
		this.#execution = execution;
		this.#scope = scope;
		this.#name = name;
		this.#configs = configs;
		this.#key = execution.keyOf(scope, name);
		this.#stepsBefore = scope.strand.stepsDone;
		this.#location = scope.location.child({ kind: "name", name });
	}

	async run(recorded: Entry<"race"> | undefined): Promise<RaceWinner> {
		const execution = this.#execution;
		if (execution.isRollback) return this.#visitForRollback(recorded);
		if (recorded?.isFinished) {
			execution.answered(this.#scope, recorded);
			this.#countKept(recorded);
			const recalling = recall(execution, this.#scope.strand, recorded.data.unused);
			if (recalling) {
				await recalling;
				if (execution.isStoppedIn(this.#scope)) return never();
			}
			return this.#result(recorded);
		}
		const names = this.#configs.map(({ name }) => name);
		if (recorded && recorded.data.branches.join("\0") !== names.join("\0")) {
			return execution.block(this.#diverged(recorded, names));
		}
		const entry = recorded ?? execution.create(this.#scope, "race", { branches: names });
		if (!recorded) execution.record(this.#scope, this.#key, entry);
		const winner = await this.#runBranches(!recorded);
		if (execution.isStoppedIn(this.#scope)) return never();
		this.#record(entry, winner);
		return this.#result(entry);
	}

	async #runBranches(isNew: boolean): Promise<Ended | null> {
		const execution = this.#execution;
		const { strand } = this.#scope;
		if (this.#configs.length === 0) return null;
		const decision = new Promise<Ended | null>((resolve) => {
			this.#decided = resolve;
		});
		this.#branches = this.#configs.map(
			({ name, run }) => new Branch(execution, this.#scope, this.#location, name, run),
		);
		strand.wait();
		for (const branch of this.#branches) {
			branch.run({ isNew, recordsEnd: true }).then(
				(end) => this.#branchEnded({ branch, end }),
				(error: unknown) => void execution.block(error),
			);
		}
		return decision;
	}

	#branchEnded(ended: Ended): void {
		this.#ended.push(ended);
		if (this.#isDeciding) return;
		const isWon = ended.end.ok;
		if (!isWon && this.#ended.length < this.#branches.length) return;
		this.#isDeciding = true;
		void this.#decide();
	}

	/** Of those that are ready together, the one that was ready first; then the one that is declared first. */
	async #decide(): Promise<void> {
		const execution = this.#execution;
		let precededTurns = 0;
		do {
			await execution.host.nextTurn();
			// The strand of a scope that has failed goes on elsewhere.
			if (execution.isStoppedIn(this.#scope)) return;
			// From records: what is read may have been ready before.
		} while (execution.isLoading || (this.#isPreceded() && ++precededTurns < PRECEDED_TURNS_MAX));
		const winner = this.#first();
		const { strand } = this.#scope;
		if (winner) strand.ready(winner.branch.strand.readyTs);
		strand.resume();
		this.#decided(winner);
	}

	/** Whether something is on its way that was ready before what would win now. */
	#isPreceded(): boolean {
		const first = this.#first();
		if (!first) return false;
		const { readyTs } = first.branch.strand;
		let isDeclaredBefore = true;
		for (const branch of this.#branches) {
			if (branch === first.branch) isDeclaredBefore = false;
			const { isOver, firstArrivingTs: ts } = branch.strand;
			if (!isOver && (ts < readyTs || (ts === readyTs && isDeclaredBefore))) return true;
		}
		return false;
	}

	#first(): Ended | null {
		let first: Ended | null = null;
		for (const branch of this.#branches) {
			const ended = this.#ended.find((other) => other.branch === branch && other.end.ok);
			if (ended && (!first || branch.strand.readyTs < first.branch.strand.readyTs)) first = ended;
		}
		return first;
	}

	/** The decision is one commit with what becomes of the losers. */
	#record(entry: Entry<"race">, winner: Ended | null): void {
		const execution = this.#execution;
		const reason = new Error(`Branch lost the race "${this.#name}"`);
		const endOf = (branch: Branch) => this.#ended.find((one) => one.branch === branch);
		const givenUp = this.#branches.filter((branch) => !endOf(branch));
		abandon(
			execution,
			givenUp.map(({ strand }) => strand),
			reason,
		);
		for (const branch of this.#branches) {
			const ended = endOf(branch);
			// It was ready, too, and nobody gets to see what it came to.
			if (ended?.end.ok && ended !== winner) giveBack(execution, branch.strand);
		}
		const { staying, data } = settleBranches(this.#scope.strand, this.#branches);
		execution.complete(this.#scope, entry, winner ? "completed" : "failed");
		entry.data = {
			branches: entry.data.branches,
			...data,
			...readyPart(this.#scope.strand.readyTs, entry.completedAt),
			...steplessPart(this.#scope.strand, this.#stepsBefore),
		};
		if (winner?.end.ok) {
			entry.data.winner = winner.branch.name;
			if (winner.end.bytes !== undefined) entry.data.output = winner.end.bytes;
		} else {
			entry.error = storeError(new RaceError(this.#errors()));
		}
		// Branches that have all failed go on from their records if the workflow is recovered.
		if (winner) forgetBranches(execution, this.#location, this.#branches, staying);
		execution.record(this.#scope, this.#key, entry);
	}

	/** In the order of the branches, whichever failed first. */
	#errors(): { name: string; error: string }[] {
		return this.#branches.map((branch) => {
			const end = this.#ended.find((one) => one.branch === branch)?.end;
			return { name: branch.name, error: end && !end.ok ? end.error.message : "" };
		});
	}

	#result(entry: Entry<"race">): RaceWinner {
		if (entry.error) {
			const error = reviveError(entry.error);
			throw noteOrigin(error, { scope: this.#scope, key: this.#key, entry });
		}
		return { winner: entry.data.winner!, value: readValue(entry.data.output) };
	}

	#diverged(entry: Entry<"race">, names: readonly string[]): Error {
		const path = this.#scope.location.pathOf({ kind: "name", name: this.#name });
		const before = entry.data.branches;
		const changes = [
			...before.filter((name) => !names.includes(name)).map((name) => `- ${name}`),
			...names.filter((name) => !before.includes(name)).map((name) => `+ ${name}`),
		];
		return new HistoryDivergedError(
			`The branches of race "${this.#name}" at ${path} have changed while it is under way (- recorded, + in the code):\n${changes.join("\n")}`,
			{ path, reason: "branches" },
		);
	}

	#countKept({ data: { kept = [] } }: Entry<"race">): void {
		for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
			scope.compensable += kept.length;
		}
	}

	async #visitForRollback(recorded: Entry<"race"> | undefined): Promise<RaceWinner> {
		const execution = this.#execution;
		if (!recorded) return execution.park();
		const { kept = [], branches } = recorded.data;
		const wanted = recorded.isFinished ? kept : branches;
		await visitBranches(
			execution,
			this.#scope,
			this.#location,
			this.#configs.filter(({ name }) => wanted.includes(name)),
		);
		if (!recorded.isFinished) return execution.park();
		return this.#result(recorded);
	}
}

/** Throws what is no list of branches, as an error of the code. */
export function readRaceBranches(
	name: unknown,
	raw: unknown,
): [name: string, run: (...args: never[]) => unknown][] {
	const bad = (found: string) =>
		codeError(new TypeError(`Race "${String(name)}" takes a list of { name, run }; ${found}`));
	if (!Array.isArray(raw)) throw bad(`got ${typeof raw}`);
	const names = new Set<string>();
	return raw.map((config: unknown) => {
		const { name: branch, run } = (config ?? {}) as { name?: unknown; run?: unknown };
		if (typeof branch !== "string" || branch === "") throw bad("a branch has no name");
		if (typeof run !== "function") throw bad(`branch "${branch}" has no function run`);
		if (names.has(branch)) throw bad(`there are two branches "${branch}"`);
		names.add(branch);
		return [branch, run as (...args: never[]) => unknown];
	});
}
