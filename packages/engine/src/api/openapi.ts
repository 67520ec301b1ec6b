import { z } from "zod";
import { type ApiOperation, OPERATIONS } from "./contract.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

/** What a document describes. */
export interface DescribedApi {
	readonly title: string;
	readonly operations: Readonly<Record<string, ApiOperation>>;
}

const EMBEDDED: DescribedApi = { title: "RivetKit management API", operations: OPERATIONS };

/** The OpenAPI 3.1 document of a management API, made from the schemas that check requests. */
export function openApiDocument(version: string, api: DescribedApi = EMBEDDED): JsonObject {
	const components: JsonObject = {};
	const paths: Record<string, JsonObject> = {};
	for (const [operationId, operation] of Object.entries(api.operations)) {
		paths[operation.path] ??= {};
		paths[operation.path]![operation.method.toLowerCase()] = describe(
			operationId,
			operation,
			components,
		);
	}
	return {
		openapi: "3.1.0",
		info: {
			title: api.title,
			version,
			license: { name: "Apache-2.0", identifier: "Apache-2.0" },
		},
		servers: [{ url: "http://127.0.0.1:6420" }],
		paths,
		components: { schemas: components },
	};
}

function describe(
	operationId: string,
	operation: ApiOperation,
	components: JsonObject,
): JsonObject {
	const parameters: Json[] = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
		name: name!,
		in: "path",
		required: true,
		schema: { type: "string" },
	}));
	if (operation.query !== undefined) {
		const query = schemaOf(operation.query, components, "input");
		const required = (query.required ?? []) as Json[];
		for (const [name, schema] of Object.entries(query.properties as JsonObject)) {
			parameters.push({ name, in: "query", required: required.includes(name), schema });
		}
	}
	const responses: JsonObject = {
		200: {
			description: "Success",
			content: answerOf(operation, components),
		},
	};
	for (const [status, failure] of Object.entries(operation.failures)) {
		responses[status] = {
			description: failure.description,
			content: json(schemaOf(failure.schema, components, "output")),
		};
	}
	return {
		operationId,
		summary: operation.summary,
		...(parameters.length === 0 ? {} : { parameters }),
		...(operation.bodyType === undefined ? {} : requestBody(binary(operation.bodyType))),
		...(operation.body === undefined
			? {}
			: requestBody(json(schemaOf(operation.body, components, "input")))),
		responses,
	};
}

function answerOf({ answer, answerType }: ApiOperation, components: JsonObject): JsonObject {
	if (answerType !== undefined) {
		return binary(answerType);
	}
	return answer === undefined
		? { "text/plain": { schema: { type: "string" } } }
		: json(schemaOf(answer, components, "output"));
}

function requestBody(content: JsonObject): JsonObject {
	return { requestBody: { required: true, content } };
}

/** Without a schema: any bytes (OpenAPI 3.1). */
function binary(mediaType: string): JsonObject {
	return { [mediaType]: {} };
}

function json(schema: JsonObject): JsonObject {
	return { "application/json": { schema } };
}

/** JSON Schema of one shape; named shapes inside it move to the document's components. */
function schemaOf(schema: z.ZodType, components: JsonObject, io: "input" | "output"): JsonObject {
	const {
		$schema: _dialect,
		$defs: definitions = {},
		...rest
	} = z.toJSONSchema(schema, { target: "draft-2020-12", io, reused: "inline" }) as JsonObject;
	const renamed = rewriteReferences(rest) as JsonObject;
	for (const [id, definition] of Object.entries(definitions as JsonObject)) {
		components[id] ??= withoutId(rewriteReferences(definition) as JsonObject);
	}
	const id = renamed.id;
	if (typeof id === "string") {
		components[id] ??= withoutId(renamed);
		return { $ref: `#/components/schemas/${id}` };
	}
	return renamed;
}

function withoutId({ id: _id, ...rest }: JsonObject): JsonObject {
	return rest;
}

function rewriteReferences(value: Json): Json {
	if (Array.isArray(value)) {
		return value.map(rewriteReferences);
	}
	if (value === null || typeof value !== "object") {
		return value;
	}
	const entries = Object.entries(value)
		// Clients ignore fields they do not know, so objects are open.
		.filter(([key, inner]) => !(key === "additionalProperties" && inner === false))
		.map(([key, inner]) => [
			key,
			key === "$ref" && typeof inner === "string"
				? inner.replace("#/$defs/", "#/components/schemas/")
				: rewriteReferences(inner),
		]);
	return Object.fromEntries(entries);
}
