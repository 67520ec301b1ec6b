import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Whether a value is a schema of any library that implements Standard Schema version 1. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
	if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
	const standard = (value as { "~standard"?: unknown })["~standard"];
	return (
		typeof standard === "object" &&
		standard !== null &&
		typeof (standard as { validate?: unknown }).validate === "function"
	);
}

/**
 * One schema over a list of values, made of one schema per position. Values behind the last schema are
 * dropped; missing ones are validated as `undefined`. Issue paths start with the position.
 */
export function listSchema(schemas: readonly StandardSchemaV1[]): StandardSchemaV1 {
	const validate = (value: unknown): ListResult | Promise<ListResult> => {
		if (!Array.isArray(value)) return { issues: [{ message: "Expected a list of arguments" }] };
		const results = schemas.map((schema, index) => schema["~standard"].validate(value[index]));
		return results.some((result) => result instanceof Promise)
			? Promise.all(results).then(merge)
			: merge(results as ItemResult[]);
	};
	return { "~standard": { version: 1, vendor: "rivetkit", validate } };
}

type ItemResult = StandardSchemaV1.Result<unknown>;
type ListResult = StandardSchemaV1.Result<unknown[]>;

function merge(results: readonly ItemResult[]): ListResult {
	const issues = results.flatMap((result, index) =>
		(result.issues ?? []).map(({ message, path }) => ({ message, path: [index, ...(path ?? [])] })),
	);
	if (issues.length > 0) return { issues };
	return { value: results.map((result) => (result as { value: unknown }).value) };
}
