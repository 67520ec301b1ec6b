import { codeError } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { waitUntil } from "./wait.ts";

/** Deadlines up to here are whole numbers: the year 5138. */
const TIME_MAX = 1e14;

/** `sleep`: for a while from the first time it is reached (workflows 3.4). */
export function sleep(
	execution: Execution,
	scope: Scope,
	name: unknown,
	durationMs: unknown,
): Promise<void> {
	return sleepUntilDeadline(execution, scope, name, () => {
		if (!isTime(durationMs)) throw bad(name, "a duration in milliseconds", durationMs);
		return execution.host.now() + Math.max(0, Math.ceil(durationMs));
	});
}

export function sleepUntil(
	execution: Execution,
	scope: Scope,
	name: unknown,
	time: unknown,
): Promise<void> {
	return sleepUntilDeadline(execution, scope, name, () => {
		const ts = time instanceof Date ? time.getTime() : time;
		if (!isTime(ts)) throw bad(name, "a Date or milliseconds since the epoch", ts);
		return Math.max(0, Math.ceil(ts));
	});
}

/** `deadlineOf` is asked the first time only: the recorded deadline wins. */
function sleepUntilDeadline(
	execution: Execution,
	scope: Scope,
	name: unknown,
	deadlineOf: () => number,
): Promise<void> {
	return operate(execution, scope, "sleep", name, async (recorded, checkedName) => {
		if (recorded?.isFinished) {
			execution.answered(scope, recorded);
			return;
		}
		if (execution.isRollback) return execution.park();
		const key = execution.keyOf(scope, checkedName);
		const entry =
			recorded ?? execution.create(scope, "sleep", { deadline: Math.min(deadlineOf(), TIME_MAX) });
		const { deadline } = entry.data;
		if (!recorded) {
			entry.status = "pending";
			execution.record(scope, key, entry);
		}
		const turn = execution.breathe();
		if (turn) await turn;
		await waitUntil(execution, scope, checkedName, deadline);
		execution.complete(scope, entry);
		execution.record(scope, key, entry);
	});
}

function isTime(value: unknown): value is number {
	return typeof value === "number" && Number.isFinite(value);
}

function bad(name: unknown, expected: string, found: unknown): Error {
	return codeError(
		new TypeError(`Sleep "${String(name)}" takes ${expected}, not ${String(found)}`),
	);
}
