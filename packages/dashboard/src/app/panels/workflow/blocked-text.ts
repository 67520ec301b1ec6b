/** Why a blocked workflow does not go on, below its error. */
export function blockedText(error: { readonly name: string } | undefined): string {
	return error === undefined || error.name === "HistoryDivergedError"
		? "Its code does not fit its history: it waits for code that does, or is recovered by hand."
		: "Its code cannot go on, as the error says: it waits for code that can, or is recovered by hand. What is recorded is kept.";
}
