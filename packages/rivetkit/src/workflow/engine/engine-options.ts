import type { WorkflowErrorEvent } from "../options.types.ts";

/** Options of `workflow()` with their defaults. */
export interface EngineOptions {
	readonly onError: ((c: unknown, event: WorkflowErrorEvent) => unknown) | null;
	readonly strictRoot: boolean;
	readonly recoverOnDeploy: boolean;
	readonly maxLiveEntries: number;
	/** Bytes of one recorded value. */
	readonly maxEntrySize: number;
	/** Iterations of one loop that are kept because they may have to be undone. */
	readonly maxRollbackIterations: number;
}

const MAX_LIVE_ENTRIES = 50_000;
const MAX_ENTRY_SIZE = 1024 * 1024;
const MAX_ROLLBACK_ITERATIONS = 1_000;

export function readEngineOptions(raw: Readonly<Record<string, unknown>> = {}): EngineOptions {
	const { onError, maxLiveEntries, maxEntrySize, maxRollbackIterations } = raw;
	if (onError !== undefined && typeof onError !== "function") {
		throw new TypeError("workflow(): onError must be a function");
	}
	return {
		onError: (onError as EngineOptions["onError"]) ?? null,
		strictRoot: raw.strictRoot === true,
		recoverOnDeploy: raw.recoverOnDeploy === true,
		maxLiveEntries: limit("maxLiveEntries", maxLiveEntries, MAX_LIVE_ENTRIES),
		maxEntrySize: limit("maxEntrySize", maxEntrySize, MAX_ENTRY_SIZE),
		maxRollbackIterations: limit(
			"maxRollbackIterations",
			maxRollbackIterations,
			MAX_ROLLBACK_ITERATIONS,
		),
	};
}

function limit(option: string, value: unknown, usual: number): number {
	if (value === undefined) return usual;
	if (typeof value === "number" && value >= 1) return Math.floor(value);
	throw new RangeError(`workflow(): ${option} must be a number, 1 or more, not ${String(value)}`);
}
