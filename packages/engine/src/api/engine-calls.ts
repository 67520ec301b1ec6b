import { type ActorResponse, catalogueError, isActorError } from "@rivetkit/protocol";
import type { z } from "zod";
import type { InboundRequest } from "../gateway/inbound.ts";
import { REPEATABLE } from "./engine-contract.ts";

/** Bytes of one JSON body (contract: engine 2.1). */
const ENGINE_BODY_BYTES_MAX = 2 * 1024 * 1024;

const JSON_HEADERS = { "content-type": "application/json" } as const;

export function jsonAnswer(value: unknown, status = 200): ActorResponse {
	return { status, headers: JSON_HEADERS, body: JSON.stringify(value) };
}

/** Throws `api.bad_request`: also for what the schema does not know. */
export function readQuery<T>(schema: z.ZodType<T>, query: URLSearchParams): T {
	const given: Record<string, string | string[]> = {};
	for (const name of new Set(query.keys())) {
		const values = query.getAll(name);
		if (REPEATABLE.has(name)) {
			given[name] = values;
		} else if (values.length === 1) {
			given[name] = values[0]!;
		} else {
			throw badRequest(`query: ${name} is given ${values.length} times`);
		}
	}
	return parse(schema, given, "query");
}

/** Throws `api.bad_request`: also for what the schema does not know. */
export async function readBody<T>(schema: z.ZodType<T>, request: InboundRequest): Promise<T> {
	const type = request.headers.get("content-type") ?? "";
	if (!/^application\/json\b/i.test(type)) {
		throw badRequest("the content type must be application/json");
	}
	const bytes = await readBytes(request);
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
	} catch {
		throw badRequest("the body is not JSON");
	}
	return parse(schema, value, "body");
}

export function badRequest(reason: string): Error {
	return catalogueError("api.bad_request", { reason });
}

/** What callers of something whose id does not parse are told (engine Q5). */
export function notAnId(text: string): Error {
	return badRequest(`${JSON.stringify(text)} is not an id`);
}

/** Ids of a list, as they are stored: callers may write them in upper case (engine 1). */
export function idsOf(
	repeated: readonly string[] | undefined,
	commas: string | undefined,
): string[] | undefined {
	const ids = listOf(repeated, commas)?.map((id) => id.toLowerCase());
	return ids && [...new Set(ids)];
}

/** The values of a parameter that may be given several times, and of its form with commas. */
export function listOf(
	repeated: readonly string[] | undefined,
	commas: string | undefined,
): string[] | undefined {
	if (repeated === undefined && commas === undefined) {
		return undefined;
	}
	const values = [...(repeated ?? []), ...(commas?.split(",") ?? [])].map((value) => value.trim());
	return [...new Set(values.filter((value) => value !== ""))];
}

async function readBytes(request: InboundRequest): Promise<Uint8Array> {
	try {
		return await request.body.bytes(ENGINE_BODY_BYTES_MAX);
	} catch (error) {
		const isTooLong =
			isActorError(error) && ["incoming_too_long", "invalid_request_body"].includes(error.code);
		throw isTooLong ? badRequest(`the body has more than ${ENGINE_BODY_BYTES_MAX} bytes`) : error;
	}
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
	const result = schema.safeParse(value);
	if (result.success) {
		return result.data;
	}
	const details = result.error.issues.map(({ path, message }) =>
		path.length === 0 ? message : `${path.join(".")}: ${message}`,
	);
	throw badRequest(`${what}: ${details.join("; ")}`);
}
