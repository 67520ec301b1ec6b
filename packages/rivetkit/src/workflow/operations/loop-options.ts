import { DEFAULT_LOOP_HISTORY_KEEP } from "../defaults.ts";
import { codeError } from "../engine/code-error.ts";

/** A loop as it was asked for, with its defaults. */
interface LoopOptions {
	readonly state: unknown;
	/** Finished iterations that stay, for people to look at. */
	readonly historyKeep: number;
}

/**
 * Throws what is wrong with the options, as an error of the code. How often positions are committed and
 * iterations deleted is accepted in both vocabularies: both happen with every iteration, at no cost.
 */
export function readLoopOptions(name: string, raw: Readonly<Record<string, unknown>>): LoopOptions {
	for (const option of ["commitInterval", "historyEvery", "historyPruneInterval"]) {
		check(name, option, raw[option], 1);
	}
	for (const option of ["historyKeep", "historySize"]) check(name, option, raw[option], 0);
	const keep =
		raw.historyKeep ?? raw.historySize ?? raw.commitInterval ?? DEFAULT_LOOP_HISTORY_KEEP;
	return { state: raw.state, historyKeep: keep as number };
}

function check(name: string, option: string, value: unknown, least: number): void {
	if (value === undefined) return;
	if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return;
	throw codeError(
		new RangeError(
			`Loop "${name}": ${option} must be a whole number, ${least} or more, not ${String(value)}`,
		),
	);
}
