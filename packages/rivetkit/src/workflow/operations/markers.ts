import { codeError } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { HistoryDivergedError } from "../errors.ts";
import { openMessages } from "../history/rewind.ts";

const REMOVABLE: readonly string[] = [
	"step",
	"loop",
	"sleep",
	"message",
	"rollback_checkpoint",
	"join",
	"race",
	"removed",
	"version_check",
];

/** `rollbackCheckpoint`: steps in this scope and below can be undone from here on (workflows 3.8). */
export function rollbackCheckpoint(
	execution: Execution,
	scope: Scope,
	name: unknown,
): Promise<void> {
	return operate(execution, scope, "rollback_checkpoint", name, async (recorded, checkedName) => {
		scope.hasCheckpoint = true;
		if (recorded) {
			execution.answered(scope, recorded);
			return;
		}
		if (execution.isRollback) return execution.park();
		const entry = execution.create(scope, "rollback_checkpoint", {});
		execution.complete(scope, entry);
		execution.record(scope, execution.keyOf(scope, checkedName), entry);
	});
}

/** `removed`: an entry of an earlier version of the code is gone, with everything below it (workflows 3.9). */
export async function removed(
	execution: Execution,
	scope: Scope,
	name: unknown,
	originalType: unknown,
): Promise<void> {
	if (typeof originalType !== "string" || !REMOVABLE.includes(originalType)) {
		throw codeError(
			new TypeError(
				`removed("${String(name)}", …) takes the type of the entry that is gone, one of ${REMOVABLE.join(", ")}; not ${String(originalType)}`,
			),
		);
	}
	const found = typeof name === "string" ? scope.records?.get(name) : undefined;
	const isOriginal =
		found &&
		found.kind !== "removed" &&
		(found.kind === originalType || (found.kind === "try" && originalType === "step"));
	// It stays as it is, so that the version before could go on with it.
	if (found && isOriginal) {
		return operate(execution, scope, found.kind, name, async () => {
			execution.answered(scope, found);
			if (!found.is("message") || execution.isRollback) return;
			const open = openMessages(found);
			for (const message of open) {
				// Whoever has it when the code comes here again keeps it.
				message.isReturned = true;
				execution.host.messages.release(message.id);
			}
			if (open.length > 0) execution.record(scope, execution.keyOf(scope, String(name)), found);
		});
	}
	if (found && found.kind !== "removed") {
		const path = scope.location.pathOf({ kind: "name", name: String(name) });
		return execution.block(
			new HistoryDivergedError(
				`Expected ${originalType} "${String(name)}" at ${path}, found ${found.kind}. Say removed("${String(name)}", "${found.kind}").`,
				{ path, reason: "kind" },
			),
		);
	}
	return operate(execution, scope, "removed", name, async (recorded, checkedName) => {
		if (recorded) {
			execution.answered(scope, recorded);
			return;
		}
		if (execution.isRollback) return execution.park();
		const entry = execution.create(scope, "removed", { originalType });
		execution.complete(scope, entry);
		execution.record(scope, execution.keyOf(scope, checkedName), entry);
	});
}

/** `getVersion`: 1 for what began before `name` was in the code, else `latest`; decided once per scope. */
export function getVersion(
	execution: Execution,
	scope: Scope,
	name: unknown,
	latest: unknown,
): Promise<number> {
	if (!(typeof latest === "number" && Number.isSafeInteger(latest) && latest >= 1)) {
		const message = `getVersion("${String(name)}", …) takes the latest version, a whole number from 1`;
		return Promise.reject(codeError(new RangeError(`${message}, not ${String(latest)}`)));
	}
	return operate(execution, scope, "version_check", name, async (recorded, checkedName) => {
		if (recorded) {
			execution.answered(scope, recorded);
			return recorded.data.resolved;
		}
		if (execution.isRollback) return execution.park();
		const resolved = scope.hasUnvisited ? 1 : latest;
		const entry = execution.create(scope, "version_check", { resolved, latest });
		execution.complete(scope, entry);
		execution.record(scope, execution.keyOf(scope, checkedName), entry);
		return resolved;
	});
}
