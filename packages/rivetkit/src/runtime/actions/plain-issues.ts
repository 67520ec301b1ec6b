/** An issue of a validation as callers get it: text and path, nothing that could not be encoded. */
export interface PlainIssue {
	readonly message: string;
	readonly path: (string | number)[];
}

interface StandardIssue {
	readonly message: string;
	readonly path?: readonly unknown[] | undefined;
}

/** What a validator reported, without what else validators put on their issues. */
export function plainIssues(issues: readonly unknown[]): PlainIssue[] {
	return (issues as readonly StandardIssue[]).map(({ message, path = [] }) => ({
		message: String(message),
		path: path.map((step) => {
			const key = typeof step === "object" && step !== null && "key" in step ? step.key : step;
			return typeof key === "number" ? key : String(key);
		}),
	}));
}
