import { decodeCbor } from "@rivetkit/protocol";
import { codeError, never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { endScope, failScope } from "../engine/scope-ends.ts";
import { CriticalError } from "../errors.ts";
import { type Entry, readyPart } from "../history/entry.ts";
import { START_ID } from "../history/location.ts";
import { readLoopOptions } from "./loop-options.ts";
import { RETURNED_MAX, rememberIterations } from "./unused-messages.ts";
import { checkSize, readValue, recordValue } from "./value.ts";

/** `loop`: repeats its body until that says `Loop.break` (workflows 3.3). */
export function loop(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: Readonly<Record<string, unknown>>,
	body: (iteration: Scope, state: unknown) => unknown,
): Promise<unknown> {
	return operate(execution, scope, "loop", name, (entry, checkedName) => {
		const { historyKeep, state } = readLoopOptions(checkedName, raw);
		return new LoopRun(execution, scope, checkedName, historyKeep, body).run(entry, state);
	});
}

class LoopRun {
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #name: string;
	readonly #historyKeep: number;
	readonly #body: (iteration: Scope, state: unknown) => unknown;
	readonly #location: Scope["location"];

	constructor(
		execution: Execution,
		scope: Scope,
		name: string,
		historyKeep: number,
		body: (iteration: Scope, state: unknown) => unknown,
	) {
		this.#execution = execution;
		this.#scope = scope;
		this.#name = name;
		this.#historyKeep = historyKeep;
		this.#body = body;
		this.#location = scope.location.child({ kind: "name", name });
	}

	/** @param state - of the first iteration */
	async run(recorded: Entry<"loop"> | undefined, state: unknown): Promise<unknown> {
		const execution = this.#execution;
		if (recorded) this.#countKept(recorded);
		if (execution.isRollback) return this.#visitForRollback(recorded);
		if (recorded?.isFinished) execution.answered(this.#scope, recorded);
		const recalling = recorded && this.#recall(recorded);
		if (recalling) {
			await recalling;
			if (execution.isStoppedIn(this.#scope)) return never();
		}
		if (recorded?.isFinished) return readValue(recorded.data.output);
		const { strand } = this.#scope;
		const entry = recorded ?? this.#create(state);
		const { recordedTo = 0 } = entry.data;
		for (let isNew = !recorded; ; isNew = entry.data.iteration > recordedTo) {
			// Not in a function of its own: that would be one more promise for as long as an iteration waits.
			const opening = this.#openIteration(entry.data.iteration, isNew);
			const iteration = opening instanceof Promise ? await opening : opening;
			const { stepsDone, receivedEver } = strand;
			let result: unknown;
			try {
				result = await this.#body(iteration, readValue(entry.data.state));
			} catch (error) {
				failScope(execution, iteration, error);
				this.#noteFailed(entry, iteration, stepsDone, receivedEver);
				throw error;
			}
			if (execution.isStoppedIn(iteration)) return never();
			if (strand.parent !== null) this.#noteUnused(entry.data, stepsDone, receivedEver);
			const end = this.#ended(entry, iteration, result);
			if (end) return end.value;
			const turn = execution.breathe();
			if (turn) await turn;
		}
	}

	#create(state: unknown): Entry<"loop"> {
		const { bytes } = this.#recordable(state, "state");
		const entry = this.#execution.create(this.#scope, "loop", {
			iteration: 0,
			prunedTo: 0,
			...(bytes === undefined ? undefined : { state: bytes }),
			...(this.#scope.strand.parent === null ? undefined : { isStepless: true }),
		});
		this.#execution.record(this.#scope, this.#key, entry);
		return entry;
	}

	/** An iteration has come to its end; undefined when there is another. */
	#ended(
		entry: Entry<"loop">,
		scope: Scope,
		result: unknown,
	): { readonly value: unknown } | undefined {
		const execution = this.#execution;
		const { iteration, state } = entry.data;
		const next = this.#read(result, state !== undefined);
		endScope(execution, scope);
		this.#scope.lastTs = scope.lastTs;
		this.#keep(entry, scope, state);
		if ("value" in next) {
			entry.data = { ...entry.data, iteration };
			const { bytes, value } = this.#recordable(next.value, "value");
			if (bytes !== undefined) entry.data.output = bytes;
			execution.complete(this.#scope, entry);
			Object.assign(entry.data, readyPart(this.#scope.strand.readyTs, entry.completedAt));
			this.#prune(entry, iteration + 1);
			execution.record(this.#scope, this.#key, entry);
			return { value };
		}
		const { bytes } = this.#recordable(next.state, "state");
		entry.data.iteration = iteration + 1;
		if (bytes !== undefined) entry.data.state = bytes;
		else if (state !== undefined) delete entry.data.state;
		this.#prune(entry, iteration + 1);
		execution.record(this.#scope, this.#key, entry);
		return undefined;
	}

	/** Made when it is needed: a loop that waits keeps none. */
	get #key(): Uint8Array {
		return this.#execution.keyOf(this.#scope, this.#name);
	}

	#openIteration(iteration: number, isNew: boolean): Scope | Promise<Scope> {
		const location = this.#location.child({ kind: "iteration", iteration });
		return this.#execution.openScope(this.#scope, location, { isNew });
	}

	/** What the body said. Throws what is none, as an error of the code. */
	#read(
		result: unknown,
		hasState: boolean,
	): { readonly state: unknown } | { readonly value: unknown } {
		if (result === undefined) {
			if (!hasState) return { state: undefined };
			throw codeError(
				new TypeError(
					`Loop "${this.#name}" returned undefined for a stateful iteration. Return Loop.continue(state) or Loop.break(value).`,
				),
			);
		}
		if (typeof result === "object" && result !== null) {
			const { continue: goesOn, break: ends } = result as Record<string, unknown>;
			if (ends === true) return { value: (result as { value?: unknown }).value };
			if (goesOn === true) return { state: (result as { state?: unknown }).state };
		}
		throw codeError(
			new TypeError(
				`Loop "${this.#name}" returned ${typeof result === "object" ? "an object that is" : `a ${typeof result},`} neither Loop.continue(state) nor Loop.break(value).`,
			),
		);
	}

	#recordable(value: unknown, what: string): ReturnType<typeof recordValue> {
		const { owner, host } = this.#execution;
		const recorded = this.#encoded(host, value, what);
		checkSize(recorded, this.#location.path, owner.maxEntrySize);
		return recorded;
	}

	#encoded(host: Execution["host"], value: unknown, what: string): ReturnType<typeof recordValue> {
		try {
			return recordValue(host, value);
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			throw codeError(
				new TypeError(`The ${what} of loop "${this.#name}" cannot be stored: ${reason}`),
			);
		}
	}

	// History

	/** The iteration stays when something outside of the loop may have to undo it. */
	#keep(entry: Entry<"loop">, scope: Scope, state: Uint8Array | undefined): void {
		const execution = this.#execution;
		if (scope.compensable === 0) return;
		if (!this.#scope.isCovered) {
			// A checkpoint inside of the iteration covers no more than that.
			for (let at: Scope | null = this.#scope; at !== null; at = at.parent) {
				at.compensable -= scope.compensable;
			}
			return;
		}
		const kept = [...(entry.data.kept ?? []), entry.data.iteration];
		const { maxRollbackIterations: limit } = execution.owner;
		if (kept.length > limit) {
			throw new CriticalError(
				`Loop "${this.#name}" has more than ${limit} iterations that may have to be rolled back. Take the checkpoint inside of the loop, or raise maxRollbackIterations of workflow().`,
			);
		}
		entry.data.kept = kept;
		const start = execution.create(scope, "start", state === undefined ? {} : { state });
		start.status = "completed";
		execution.record(scope, execution.key(scope, { kind: "start" }), start);
	}

	/** An iteration is over: which ones have messages that no step came after, for the branch to give back. */
	#noteUnused(data: Entry<"loop">["data"], stepsBefore: number, receivedBefore: number): void {
		const { strand } = this.#scope;
		if (strand.stepsDone > stepsBefore) {
			delete data.isStepless;
			delete data.unusedFrom;
		}
		if (strand.received.length > 0 && strand.receivedEver > receivedBefore) {
			data.unusedFrom ??= data.iteration;
		}
		if (data.unusedFrom === undefined) return;
		data.unusedFrom = Math.max(data.unusedFrom, data.iteration + 1 - RETURNED_MAX);
	}

	/** As {@link #noteUnused}, of one that has failed: what is around the loop may catch that, and come to its end. */
	#noteFailed(
		entry: Entry<"loop">,
		iteration: Scope,
		stepsBefore: number,
		receivedBefore: number,
	): void {
		if (this.#scope.strand.parent === null || !iteration.hasFailed) return;
		const { isStepless, unusedFrom } = entry.data;
		this.#noteUnused(entry.data, stepsBefore, receivedBefore);
		if (entry.data.isStepless === isStepless && entry.data.unusedFrom === unusedFrom) return;
		this.#execution.record(this.#scope, this.#key, entry);
	}

	/** What iterations of before have done with messages, which do not run again. */
	#recall({ isFinished, data }: Entry<"loop">): Promise<void> | null {
		const { strand } = this.#scope;
		if (strand.parent === null || (data.iteration === 0 && !isFinished)) return null;
		if (!data.isStepless) strand.keepReceived();
		if (data.unusedFrom === undefined) return null;
		// The one that it is in runs again.
		const over = isFinished ? data : { ...data, iteration: data.iteration - 1 };
		return rememberIterations(this.#execution, strand, this.#location, over);
	}

	/** Deletes what falls out of the iterations that are kept: each once, in the commit of the next position. */
	#prune(entry: Entry<"loop">, finished: number): void {
		const { prunedTo, kept = [], unusedFrom = finished } = entry.data;
		const to = Math.min(finished - this.#historyKeep, unusedFrom);
		if (to <= prunedTo) return;
		const stays = new Set(kept);
		let from = prunedTo;
		for (let iteration = prunedTo; iteration <= to; iteration++) {
			if (iteration < to && !stays.has(iteration)) continue;
			if (iteration > from) this.#execution.deleteIterations(this.#location, from, iteration);
			from = iteration + 1;
		}
		entry.data.prunedTo = to;
	}

	/** Iterations of before that may have to be undone count for the scopes around. */
	#countKept({ data: { kept = [] } }: Entry<"loop">): void {
		if (this.#execution.isRollback) return;
		for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
			scope.compensable += kept.length;
		}
	}

	// Rollback

	/** Handlers of all iterations that are kept, and of the one it was in. */
	async #visitForRollback(recorded: Entry<"loop"> | undefined): Promise<unknown> {
		const execution = this.#execution;
		if (!recorded) return execution.park();
		const { kept = [], iteration, state, output } = recorded.data;
		for (const earlier of kept) {
			const scope = await this.#openIteration(earlier, false);
			const start = scope.records?.get(START_ID);
			const bytes = start?.is("start") ? start.data.state : undefined;
			await this.#body(scope, bytes === undefined ? undefined : decodeCbor(bytes));
		}
		if (recorded.isFinished) return readValue(output);
		const scope = await this.#openIteration(iteration, false);
		await this.#body(scope, readValue(state));
		return execution.park();
	}
}
