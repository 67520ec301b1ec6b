import { catalogueError } from "@rivetkit/protocol";
import type { ErasedAction } from "../../actor/erased.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { plainIssues } from "./plain-issues.ts";

/**
 * Runs the Standard Schema of an action over its arguments: over the one argument, or over the list when
 * the schema describes a list and there is not exactly one. The handler gets the schema's output.
 * Throws `action.invalid_request` with `metadata { action, issues }`.
 */
export function validateArguments(
	name: string,
	action: ErasedAction,
	args: readonly unknown[],
): readonly unknown[] | Promise<readonly unknown[]> {
	const schema = action.inputSchema!;
	const result = schema["~standard"].validate(action.inputIsList ? args : args[0]);
	return isPromiseLike(result)
		? (result as Promise<ValidationResult>).then((settled) => accept(name, action, settled))
		: accept(name, action, result as ValidationResult);
}

interface ValidationResult {
	readonly value?: unknown;
	readonly issues?: readonly unknown[];
}

function accept(name: string, action: ErasedAction, result: ValidationResult): readonly unknown[] {
	if (result.issues) {
		const issues = plainIssues(result.issues);
		throw catalogueError("action.invalid_request", {
			message: `Arguments of action '${name}' are invalid: ${issues.map((issue) => `${issue.path.join(".") || "(root)"}: ${issue.message}`).join("; ")}`,
			metadata: { action: name, issues },
		});
	}
	return action.inputIsList ? (result.value as readonly unknown[]) : [result.value];
}
