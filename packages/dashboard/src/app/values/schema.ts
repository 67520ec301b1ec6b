/** The part of JSON Schema that is shown and filled in; what else there is, the server says when it is called. */
interface Schema {
	readonly type?: string | readonly string[];
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly required?: readonly string[];
	readonly additionalProperties?: Schema | boolean;
	readonly items?: Schema | boolean;
	readonly prefixItems?: readonly Schema[];
	readonly enum?: readonly unknown[];
	readonly const?: unknown;
	readonly default?: unknown;
	readonly anyOf?: readonly Schema[];
	readonly oneOf?: readonly Schema[];
	readonly minimum?: number;
}

/** How deep a schema is followed: it may be about itself. */
const DEPTH_MAX = 6;

/** What a schema takes, in the way types are written: `{ name: string, age?: number }`. */
export function describeSchema(schema: object): string {
	return describe(schema as Schema, 0);
}

/** What the arguments of an action are, `number, string`, or its only one. */
export function describeArguments(schema: object, takesList: boolean): string {
	const { prefixItems } = schema as Schema;
	if (!takesList || prefixItems === undefined) return describeSchema(schema);
	return prefixItems.map((item) => describe(item, 0)).join(", ");
}

/** A value to begin with: what is required, each with its default or the least that its type has. */
export function exampleOf(schema: object): unknown {
	return example(schema as Schema, 0);
}

/** The same as the list of arguments. */
export function exampleArguments(schema: object, takesList: boolean): unknown[] {
	if (!takesList) return [exampleOf(schema)];
	return ((schema as Schema).prefixItems ?? []).map((item) => example(item, 0));
}

function describe(schema: Schema, depth: number): string {
	if (depth > DEPTH_MAX) return "…";
	if (schema.const !== undefined) return JSON.stringify(schema.const);
	if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
	const choices = schema.anyOf ?? schema.oneOf;
	if (choices) return choices.map((choice) => describe(choice, depth + 1)).join(" | ");
	const type = typesOf(schema);
	if (type.length !== 1) return type.join(" | ") || "any";
	switch (type[0]) {
		case "object":
			return describeObject(schema, depth);
		case "array": {
			if (schema.prefixItems) {
				return `[${schema.prefixItems.map((item) => describe(item, depth + 1)).join(", ")}]`;
			}
			const item = typeof schema.items === "object" ? describe(schema.items, depth + 1) : "any";
			return item.includes(" ") ? `(${item})[]` : `${item}[]`;
		}
		case "integer":
			return "whole number";
		default:
			return type[0]!;
	}
}

function describeObject(schema: Schema, depth: number): string {
	const { properties = {}, required = [], additionalProperties } = schema;
	const members = Object.entries(properties).map(
		([name, member]) =>
			`${name}${required.includes(name) ? "" : "?"}: ${describe(member, depth + 1)}`,
	);
	if (typeof additionalProperties === "object") {
		members.push(`[name]: ${describe(additionalProperties, depth + 1)}`);
	}
	return members.length === 0 ? "object" : `{ ${members.join(", ")} }`;
}

function example(schema: Schema, depth: number): unknown {
	if (depth > DEPTH_MAX) return null;
	if (schema.default !== undefined) return schema.default;
	if (schema.const !== undefined) return schema.const;
	if (schema.enum) return schema.enum[0];
	const [choice] = schema.anyOf ?? schema.oneOf ?? [];
	if (choice) return example(choice, depth + 1);
	switch (typesOf(schema)[0]) {
		case "object": {
			const { properties = {}, required = [] } = schema;
			const members = required.map((name) => [name, example(properties[name] ?? {}, depth + 1)]);
			return Object.fromEntries(members);
		}
		case "array":
			return (schema.prefixItems ?? []).map((item) => example(item, depth + 1));
		case "string":
			return "";
		case "number":
		case "integer":
			return schema.minimum ?? 0;
		case "boolean":
			return false;
		default:
			return null;
	}
}

function typesOf({ type }: Schema): readonly string[] {
	if (type === undefined) return [];
	return typeof type === "string" ? [type] : type;
}
