import { catalogueError } from "@rivetkit/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { plainIssues } from "../actions/plain-issues.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";

/**
 * Validates an event's payload (contract: api 7): the single argument, or the list when there are zero or
 * several. The schema's output replaces the payload. Synchronous only.
 */
export function validateEventPayload(
	name: string,
	schema: StandardSchemaV1,
	args: readonly unknown[],
): readonly unknown[] {
	const single = args.length === 1;
	const result = schema["~standard"].validate(single ? args[0] : args);
	if (isPromiseLike(result)) {
		throw catalogueError("feature.unsupported", { feature: "async event schema" });
	}
	const settled = result as { value?: unknown; issues?: readonly unknown[] };
	if (settled.issues) {
		throw catalogueError("event.invalid_payload", { name, issues: plainIssues(settled.issues) });
	}
	return single ? [settled.value] : (settled.value as readonly unknown[]);
}
