import type { Entry } from "./entry.ts";

/** Whether it is a completed step, or there may be some in it. */
export function mayHoldSteps(entry: Entry): boolean {
	if (entry.is("step")) return entry.status === "completed";
	const isComposite = entry.is("loop") || entry.is("join") || entry.is("race") || entry.is("try");
	return isComposite && !entry.data.isStepless;
}

/** Whether there may be completed steps in it, or it is one, that a rollback undoes. */
export function mayHaveToUndo(entry: Entry): boolean {
	if (entry.is("step")) {
		const { isCompensable = false } = entry.data;
		return isCompensable && entry.status === "completed" && entry.rollbackCompletedAt === 0;
	}
	if (entry.is("loop") || entry.is("join") || entry.is("race")) {
		return (entry.data.kept?.length ?? 0) > 0;
	}
	return entry.is("try") && (entry.data.compensable ?? 0) > 0;
}
