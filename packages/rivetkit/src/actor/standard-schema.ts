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
	const input = () => ({
		type: "array",
		prefixItems: schemas.map((schema) => jsonSchemaOf(schema) ?? {}),
	});
	const standard = { version: 1, vendor: "rivetkit", validate, jsonSchema: { input } } as const;
	return { "~standard": standard };
}

const OPTIONS = { target: "draft-2020-12" } as const;

/**
 * What a schema takes, as JSON Schema, where its library can tell (Standard JSON Schema: Zod 4.2, ArkType 2.1.28,
 * Valibot's `toStandardJsonSchema`). Null where it cannot, or not of this one, such as of a transformation.
 */
export function jsonSchemaOf(schema: StandardSchemaV1): object | null {
	const { jsonSchema } = schema["~standard"] as { jsonSchema?: { input?: unknown } };
	if (typeof jsonSchema?.input !== "function") return null;
	try {
		const made: unknown = jsonSchema.input(OPTIONS);
		return typeof made === "object" && made !== null ? made : null;
	} catch {
		return null;
	}
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
