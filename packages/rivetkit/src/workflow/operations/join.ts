import { codeError, never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { noteOrigin } from "../engine/failure-origin.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { abandon } from "../engine/scope-ends.ts";
import { HistoryDivergedError, JoinError } from "../errors.ts";
import { type Entry, readyPart, steplessPart } from "../history/entry.ts";
import { named } from "../history/named.ts";
import { reviveError, storeError } from "../history/stored-error.ts";
import { Branch, type BranchEnd, forgetBranches, settleBranches, visitBranches } from "./branch.ts";
import { recall } from "./unused-messages.ts";
import { readValue } from "./value.ts";

export interface JoinBranchConfig {
	readonly run: (scope: Scope) => unknown;
	readonly cancelsOthers: boolean;
}

/** `join`: runs all branches and waits for all (workflows 3.6). */
export function join(
	execution: Execution,
	scope: Scope,
	name: unknown,
	branches: ReadonlyMap<string, JoinBranchConfig>,
): Promise<Record<string, unknown>> {
	return operate(execution, scope, "join", name, (entry, checkedName) =>
		new Join(execution, scope, checkedName, branches).run(entry),
	);
}

class Join {
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #name: string;
	readonly #branches: ReadonlyMap<string, JoinBranchConfig>;
	readonly #key: Uint8Array;
	readonly #location: Scope["location"];
	readonly #stepsBefore: number;

	constructor(
		execution: Execution,
		scope: Scope,
		name: string,
		branches: ReadonlyMap<string, JoinBranchConfig>,
	) {
		this.#execution = execution;
		this.#scope = scope;
		this.#name = name;
		this.#branches = branches;
		this.#key = execution.keyOf(scope, name);
		this.#stepsBefore = scope.strand.stepsDone;
		this.#location = scope.location.child({ kind: "name", name });
	}

	async run(recorded: Entry<"join"> | undefined): Promise<Record<string, unknown>> {
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
		const names = [...this.#branches.keys()];
		if (recorded) {
			const diverged = await this.#divergence(recorded, names);
			if (execution.isStoppedIn(this.#scope)) return never();
			if (diverged) return execution.block(diverged);
		}
		const entry = recorded ?? execution.create(this.#scope, "join", { branches: names });
		const isSame = entry.data.branches.join("\0") === names.join("\0");
		entry.data.branches = names;
		if (!recorded || !isSame) execution.record(this.#scope, this.#key, entry);
		const ends = await this.#runBranches(!recorded);
		if (execution.isStoppedIn(this.#scope)) return never();
		this.#record(entry, ends);
		return this.#result(entry);
	}

	async #runBranches(isNew: boolean): Promise<ReadonlyMap<string, BranchEnd>> {
		const execution = this.#execution;
		const { strand } = this.#scope;
		const branches = [...this.#branches].map(
			([name, { run }]) => new Branch(execution, this.#scope, this.#location, name, run),
		);
		this.#running = branches;
		strand.wait();
		const ends = new Map<string, BranchEnd>();
		await Promise.all(
			branches.map(async (branch) => {
				const end = await this.#runBranch(branch, isNew);
				ends.set(branch.name, end);
			}),
		);
		// The strand of a scope that has failed goes on elsewhere.
		if (execution.isStoppedIn(this.#scope)) return never();
		for (const branch of branches) strand.ready(branch.strand.readyTs);
		strand.resume();
		return ends;
	}

	#running: readonly Branch[] = [];
	readonly #cancelled = new Map<string, (end: BranchEnd) => void>();

	#runBranch(branch: Branch, isNew: boolean): Promise<BranchEnd> {
		return new Promise((resolve) => {
			this.#cancelled.set(branch.name, resolve);
			branch.run({ isNew, recordsEnd: true }).then(
				(end) => {
					this.#cancelled.delete(branch.name);
					resolve(end);
					if (!end.ok && this.#branches.get(branch.name)!.cancelsOthers)
						this.#cancelOthers(branch.name);
				},
				(error: unknown) => void this.#execution.block(error),
			);
		});
	}

	/** The others end where they are, because one of them failed that says so. */
	#cancelOthers(because: string): void {
		const error = new Error(`Cancelled because branch "${because}" failed`);
		const others = this.#running.filter(({ name }) => this.#cancelled.has(name));
		abandon(
			this.#execution,
			others.map(({ strand }) => strand),
			error,
		);
		for (const { name } of others) this.#cancelled.get(name)!({ ok: false, error });
		this.#cancelled.clear();
	}

	#record(entry: Entry<"join">, ends: ReadonlyMap<string, BranchEnd>): void {
		const execution = this.#execution;
		const errors = new Map<string, Error>();
		const outputs = new Map<string, Uint8Array | undefined>();
		for (const name of entry.data.branches) {
			const end = ends.get(name)!;
			if (end.ok) outputs.set(name, end.bytes);
			else errors.set(name, end.error);
		}
		const { staying, data } = settleBranches(this.#scope.strand, this.#running);
		const hasFailed = errors.size > 0;
		if (hasFailed) entry.error = storeError(new JoinError(Object.fromEntries(errors)));
		execution.complete(this.#scope, entry, hasFailed ? "failed" : "completed");
		entry.data = {
			branches: entry.data.branches,
			outputs: Object.fromEntries(outputs),
			...data,
			...readyPart(this.#scope.strand.readyTs, entry.completedAt),
			...steplessPart(this.#scope.strand, this.#stepsBefore),
		};
		// Branches go on from their records if the workflow is recovered.
		if (!hasFailed) forgetBranches(execution, this.#location, this.#running, staying);
		execution.record(this.#scope, this.#key, entry);
	}

	#result(entry: Entry<"join">): Record<string, unknown> {
		if (entry.error) {
			const error = reviveError(entry.error);
			throw noteOrigin(error, { scope: this.#scope, key: this.#key, entry });
		}
		const { branches, outputs } = entry.data;
		return Object.fromEntries(branches.map((name) => [name, readValue(named(outputs, name))]));
	}

	/** Branches may be added as long as none has ended; else the set is what it was (workflows 3.6.4). */
	async #divergence(entry: Entry<"join">, names: readonly string[]): Promise<Error | null> {
		const before = entry.data.branches;
		const gone = before.filter((name) => !names.includes(name));
		const added = names.filter((name) => !before.includes(name));
		if (gone.length === 0 && added.length === 0) return null;
		if (gone.length === 0 && !(await this.#hasEnded(before))) return null;
		const path = this.#scope.location.pathOf({ kind: "name", name: this.#name });
		const changes = [...gone.map((name) => `- ${name}`), ...added.map((name) => `+ ${name}`)];
		return new HistoryDivergedError(
			`The branches of join "${this.#name}" at ${path} have changed while it is under way (- recorded, + in the code):\n${changes.join("\n")}`,
			{ path, reason: "branches" },
		);
	}

	async #hasEnded(names: readonly string[]): Promise<boolean> {
		const execution = this.#execution;
		const keys = names.map((name) =>
			this.#location.child({ kind: "name", name }).keyAt({ kind: "outcome" }),
		);
		const found = await execution.read(execution.host.get(keys));
		return found.some((value) => value !== null);
	}

	#countKept({ data: { kept = [] } }: Entry<"join">): void {
		for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
			scope.compensable += kept.length;
		}
	}

	async #visitForRollback(recorded: Entry<"join"> | undefined): Promise<Record<string, unknown>> {
		const execution = this.#execution;
		if (!recorded) return execution.park();
		const wanted = recorded.isFinished ? (recorded.data.kept ?? []) : recorded.data.branches;
		const branches = [...this.#branches]
			.filter(([name]) => wanted.includes(name))
			.map(([name, { run }]) => ({ name, run }));
		await visitBranches(execution, this.#scope, this.#location, branches);
		if (!recorded.isFinished) return execution.park();
		return this.#result(recorded);
	}
}

/** Throws what is no set of branches, as an error of the code. */
export function readJoinBranches(
	name: unknown,
	raw: unknown,
): [name: string, run: (...args: never[]) => unknown, cancelsOthers: boolean][] {
	const bad = (found: string) =>
		codeError(new TypeError(`Join "${String(name)}" takes an object of { run } by name; ${found}`));
	if (typeof raw !== "object" || raw === null) throw bad(`got ${typeof raw}`);
	return Object.entries(raw).map(([branch, config]) => {
		const { run, onError } = (config ?? {}) as { run?: unknown; onError?: unknown };
		if (typeof run !== "function") throw bad(`branch "${branch}" has no function run`);
		if (onError !== undefined && onError !== "cancel") {
			throw bad(`onError of branch "${branch}" is not "cancel"`);
		}
		return [branch, run as (...args: never[]) => unknown, onError === "cancel"];
	});
}
