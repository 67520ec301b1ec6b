import { codeError, isCodeError, isNamed, never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { endScope, failScope } from "../engine/scope-ends.ts";
import { type Entry, readyPart, steplessPart } from "../history/entry.ts";
import { publicError, storeError } from "../history/stored-error.ts";
import type {
	TryBlockFailure,
	TryBlockResult,
	TryStepFailure,
	TryStepKind,
	TryStepResult,
} from "../options.types.ts";
import { type StepEnd, step } from "./step.ts";
import { isSameUnused, recall, unusedPart } from "./unused-messages.ts";
import { checkSize, readValue, recordValue } from "./value.ts";

const STEP_KINDS: readonly TryStepKind[] = ["critical", "timeout", "exhausted", "rollback"];
const STEP_CATCH: readonly TryStepKind[] = ["critical", "timeout", "exhausted"];
type BlockCatch = "step" | "join" | "race" | "rollback";
const BLOCK_KINDS: readonly BlockCatch[] = ["step", "join", "race", "rollback"];
const BLOCK_CATCH: readonly BlockCatch[] = ["step", "join", "race"];

/** `tryStep`: a step whose failures are results (workflows 3.10). */
export async function tryStep(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: Readonly<Record<string, unknown>>,
): Promise<TryStepResult<unknown>> {
	const caught = readCatch(raw.catch, STEP_KINDS, STEP_CATCH, `tryStep "${String(name)}"`);
	const end = await step(execution, scope, name, raw);
	if (end.ok) return { ok: true, value: end.value };
	const failure = stepFailure(String(name), end);
	if (!caught.includes(failure.kind)) throw end.error;
	return { ok: false, failure };
}

function stepFailure(
	stepName: string,
	{ entry, error }: Extract<StepEnd, { ok: false }>,
): TryStepFailure {
	// Of an exhausted step: what its last try failed with.
	const stored = entry.error ?? storeError(error);
	return {
		kind: entry.data.failKind ?? "exhausted",
		stepName,
		attempts: entry.attempts,
		error: publicError(stored.last ?? stored),
	};
}

/** `try`: a block in a scope of its own whose failures are results. */
export function tryBlock(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: Readonly<Record<string, unknown>>,
	body: (block: Scope) => unknown,
): Promise<TryBlockResult<unknown>> {
	return operate(execution, scope, "try", name, async (recorded, checkedName) => {
		const caught = readCatch(raw.catch, BLOCK_KINDS, BLOCK_CATCH, `try "${checkedName}"`);
		const location = scope.location.child({ kind: "name", name: checkedName });
		const key = execution.keyOf(scope, checkedName);
		if (recorded?.isFinished && !execution.isRollback) {
			execution.answered(scope, recorded);
			for (let at: Scope | null = scope; at !== null; at = at.parent) {
				at.compensable += recorded.data.compensable ?? 0;
			}
			const recalling = recall(execution, scope.strand, recorded.data.unused);
			if (recalling) {
				await recalling;
				if (execution.isStoppedIn(scope)) return never();
			}
			return resultOf(recorded);
		}
		if (!recorded && execution.isRollback) return execution.park();
		const entry = recorded ?? execution.create(scope, "try", {});
		if (!recorded) execution.record(scope, key, entry);
		const block = await execution.openScope(scope, location, { isNew: !recorded });
		const { stepsDone } = scope.strand;
		let result: TryBlockResult<unknown>;
		try {
			const value = await body(block);
			if (execution.isStoppedIn(scope)) return never();
			result = { ok: true, value };
			endScope(execution, block);
		} catch (error) {
			failScope(execution, block, error);
			const failure = isCodeError(error) ? null : blockFailure(checkedName, error);
			if (failure === null || !isCaught(failure, error, caught)) {
				noteFailed(execution, block, key, entry, stepsDone);
				throw error;
			}
			if (execution.isStoppedIn(scope)) return never();
			result = { ok: false, failure };
		}
		if (execution.isRollback) return recorded?.isFinished ? resultOf(recorded) : result;
		const recordable = recordResult(execution, checkedName, result);
		checkSize(recordable, location.path, execution.owner.maxEntrySize);
		execution.complete(scope, entry);
		entry.data = {
			output: recordable.bytes!,
			...(block.compensable > 0 ? { compensable: block.compensable } : undefined),
			...readyPart(scope.strand.readyTs, entry.completedAt),
			...branchPart(scope, entry, stepsDone),
		};
		execution.record(scope, key, entry);
		return resultOf(entry);
	});
}

/** What a branch has to know of a block in it. */
function branchPart(
	{ strand }: Scope,
	{ createdSequence }: Entry<"try">,
	stepsBefore: number,
): Pick<Entry<"try">["data"], "isStepless" | "unused"> {
	const received = strand.received.filter(({ entry }) => entry.createdSequence > createdSequence);
	return { ...steplessPart(strand, stepsBefore), ...unusedPart(received) };
}

/** It runs again when the code comes to it; but what is around it may catch the failure, and come to its end. */
function noteFailed(
	execution: Execution,
	block: Scope,
	key: Uint8Array,
	entry: Entry<"try">,
	stepsBefore: number,
): void {
	if (block.strand.parent === null || !block.hasFailed) return;
	const data = branchPart(block, entry, stepsBefore);
	// From records it fails in the same way each time.
	const { isStepless, unused } = entry.data;
	if (isStepless === data.isStepless && isSameUnused(unused, data.unused)) return;
	entry.data = data;
	execution.record(block.parent!, key, entry);
}

function recordResult(
	execution: Execution,
	name: string,
	result: TryBlockResult<unknown>,
): ReturnType<typeof recordValue> {
	try {
		return recordValue(execution.host, result);
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw codeError(new TypeError(`The result of try "${name}" cannot be stored: ${reason}`));
	}
}

function resultOf({ data }: Entry<"try">): TryBlockResult<unknown> {
	return readValue(data.output) as TryBlockResult<unknown>;
}

function blockFailure(name: string, error: unknown): TryBlockFailure {
	const stored = storeError(error);
	const described = publicError(stored);
	if (isNamed(error, "JoinError")) return { source: "join", name, error: described };
	if (isNamed(error, "RaceError")) return { source: "race", name, error: described };
	const step = failedStep.get(error as object);
	if (step) return { source: "step", name: step.stepName, error: step.error, step };
	return { source: "block", name, error: described };
}

/** Which step an error came from, as long as the same error object travels. */
const failedStep = new WeakMap<object, TryStepFailure>();

export function noteStepFailure(name: string, end: Extract<StepEnd, { ok: false }>): void {
	failedStep.set(end.error, stepFailure(name, end));
}

/** Only failures of operations are caught; what the block itself throws passes through. */
function isCaught(
	failure: TryBlockFailure,
	error: unknown,
	caught: readonly BlockCatch[],
): boolean {
	if (isNamed(error, "RollbackError")) return caught.includes("rollback");
	if (failure.source === "block")
		return isNamed(error, "QueueTimeoutError") && caught.includes("step");
	return caught.includes(failure.source);
}

function readCatch<Kind extends string>(
	raw: unknown,
	kinds: readonly Kind[],
	usual: readonly Kind[],
	what: string,
): readonly Kind[] {
	if (raw === undefined) return usual;
	const isList = Array.isArray(raw) && raw.every((kind) => kinds.includes(kind as Kind));
	if (isList) return raw as Kind[];
	throw codeError(new TypeError(`${what}: catch is a list of ${kinds.join(", ")}`));
}
