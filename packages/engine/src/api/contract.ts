/**
 * The management API as data (protocol 4.6): shapes that requests are checked with, and the descriptions
 * the OpenAPI document is made from.
 */
import { z } from "zod";
import { ACTOR_FILE_TYPE } from "../transfer/actor-file.ts";
import { CURSOR } from "./cursor.ts";

const timestamp = z.int().describe("Milliseconds since the epoch");

export const actorSchema = z
	.object({
		actor_id: z.string(),
		name: z.string().describe("Type of the actor"),
		key: z.string().describe("Serialized key: components joined by `/`, escaped"),
		namespace_id: z.string(),
		runner_name_selector: z.string(),
		create_ts: timestamp,
		connectable_ts: timestamp.nullable(),
		start_ts: timestamp.nullable(),
		sleep_ts: timestamp.nullable(),
		destroy_ts: timestamp.nullable(),
		status: z
			.enum(["awake", "starting", "stopping", "failing", "sleeping", "destroyed"])
			.describe("What the actor does now"),
	})
	.meta({ id: "Actor" });

export const paginationSchema = z
	.object({
		cursor: z
			.string()
			.nullable()
			.describe("Pass as `cursor` to get the next page; null on the last one"),
	})
	.meta({ id: "Pagination" });

export const errorSchema = z
	.object({
		group: z.string(),
		code: z.string(),
		message: z.string(),
		metadata: z.unknown().optional(),
	})
	.meta({ id: "Error" });

export const listErrorSchema = z.object({ error: z.string() }).meta({ id: "ListError" });

export const ACTOR_IDS_MAX = 32;
export const LIST_LIMIT_MAX = 10_000;
export const NAMES_LIMIT_DEFAULT = 100;

const limit = (fallback: number) =>
	z.coerce.number().int().min(1).max(LIST_LIMIT_MAX).default(fallback);

export const listQuerySchema = z.object({
	name: z.string().optional(),
	key: z.string().optional().describe("Serialized key"),
	actor_ids: z.string().optional().describe(`Up to ${ACTOR_IDS_MAX} ids, separated by commas`),
	include_destroyed: z.enum(["true", "false"]).optional(),
	limit: limit(LIST_LIMIT_MAX),
	cursor: z
		.string()
		.regex(CURSOR)
		.optional()
		.describe("From `pagination.cursor`, or a creation time: only older actors are listed"),
});

export const namesQuerySchema = z.object({
	namespace: z.string(),
	limit: limit(NAMES_LIMIT_DEFAULT),
	cursor: z.string().optional(),
});

const wellFormed = z
	.string()
	.refine((text) => !/\p{Surrogate}/u.test(text), "not well-formed Unicode");

const createFields = {
	name: z.string(),
	runner_name_selector: z.string(),
	crash_policy: wellFormed.max(64),
	datacenter: z.string().nullish(),
	input: z.string().nullish().describe("Base64 of the CBOR-encoded input"),
};

export const getOrCreateBodySchema = z
	.object({ ...createFields, key: z.string().describe("Serialized key") })
	.meta({ id: "GetOrCreateActor" });

export const createBodySchema = z
	.object({
		...createFields,
		key: z.string().nullish().describe("Serialized key; without one, a random key is made"),
	})
	.meta({ id: "CreateActor" });

export const importQuerySchema = z.object({
	name: z.string().optional().describe("Default: that of the file"),
	key: z.string().optional().describe("Serialized key; default: that of the file"),
	replace: z
		.enum(["true", "false"])
		.optional()
		.describe("Whether to destroy the actor that has the name and key now"),
});

const actorNameSchema = z.object({
	metadata: z.object({ name: z.string().optional(), icon: z.string().optional() }),
});

export const metadataSchema = z
	.looseObject({
		runtime: z.literal("rivetkit"),
		version: z.string(),
		runner: z.looseObject({ kind: z.record(z.string(), z.unknown()) }).optional(),
		actorNames: z.record(z.string(), actorNameSchema).optional(),
		clientEndpoint: z.string().optional(),
		clientNamespace: z.string().optional(),
		clientToken: z.string().optional(),
		capabilities: z.array(z.string()),
	})
	.meta({ id: "Metadata" });

export interface ApiOperation {
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	/** With `{parameters}`. */
	readonly path: string;
	readonly summary: string;
	readonly query?: z.ZodObject;
	readonly body?: z.ZodType;
	/** Media type of a body that is no JSON. */
	readonly bodyType?: string;
	/** What a 200 holds; text when there is no schema. */
	readonly answer?: z.ZodType;
	/** Media type of an answer that is neither JSON nor text. */
	readonly answerType?: string;
	/** Other answers, by status. */
	readonly failures: Readonly<Record<number, { description: string; schema: z.ZodType }>>;
}

const notFound = { description: "`actor.not_found`", schema: errorSchema };
const invalid = { description: "`request.invalid`", schema: errorSchema };
const unauthorized = { description: "`inspector.unauthorized`", schema: errorSchema };
const tooLarge = { description: "`guard.invalid_request_body`", schema: errorSchema };

/** All routes, by operation id. */
export const OPERATIONS = {
	listActors: {
		method: "GET",
		path: "/actors",
		summary: "Actors by id, by name and key, or all of one name, newest first",
		query: listQuerySchema,
		answer: z.object({ actors: z.array(actorSchema), pagination: paginationSchema }),
		failures: { 400: { description: "Impossible combination", schema: listErrorSchema } },
	},
	getOrCreateActor: {
		method: "PUT",
		path: "/actors",
		summary: "The actor with this name and key, made and started if there is none",
		body: getOrCreateBodySchema,
		answer: z.object({ actor: actorSchema, created: z.boolean() }),
		failures: { 400: invalid, 413: tooLarge },
	},
	createActor: {
		method: "POST",
		path: "/actors",
		summary: "A new actor",
		body: createBodySchema,
		answer: z.object({ actor: actorSchema }),
		failures: {
			400: { description: "`request.invalid`, `actor.duplicate_key`", schema: errorSchema },
			413: tooLarge,
		},
	},
	listActorNames: {
		method: "GET",
		path: "/actors/names",
		summary: "Names that have actors or can have them, sorted",
		query: namesQuerySchema,
		answer: z.object({
			names: z.record(z.string(), actorNameSchema),
			pagination: paginationSchema,
		}),
		failures: { 400: invalid },
	},
	destroyActor: {
		method: "DELETE",
		path: "/actors/{actor_id}",
		summary: "Destroys the actor with all its data; answers when that is done",
		answer: z.object({}),
		failures: {
			403: { description: "`auth.forbidden`", schema: errorSchema },
			404: notFound,
		},
	},
	readKv: {
		method: "GET",
		path: "/actors/{actor_id}/kv/keys/{key}",
		summary: "One value of the actor's internal store; the key is base64 of its bytes",
		answer: z.object({ value: z.string().nullable().describe("Base64") }),
		failures: {
			400: invalid,
			403: { description: "`auth.forbidden`, `feature.restricted`", schema: errorSchema },
			404: notFound,
		},
	},
	exportActor: {
		method: "GET",
		path: "/actors/{actor_id}/export",
		summary: "The actor as a file, as its last commit left it; wakes nobody",
		answerType: ACTOR_FILE_TYPE,
		failures: {
			401: unauthorized,
			404: notFound,
			429: { description: "`transfer.too_many`", schema: errorSchema },
		},
	},
	importActor: {
		method: "POST",
		path: "/actors/import",
		summary: "A new actor, asleep, of the file of an exported one",
		query: importQuerySchema,
		bodyType: ACTOR_FILE_TYPE,
		answer: z.object({
			actor: actorSchema,
			replaced: z.string().nullable().describe("Id of the actor that was destroyed for it"),
		}),
		failures: {
			400: {
				description:
					"`transfer.invalid_file`, `transfer.newer_file`, `actor.duplicate_key`, `request.invalid`",
				schema: errorSchema,
			},
			401: unauthorized,
			403: { description: "`auth.forbidden`, to replace", schema: errorSchema },
			413: tooLarge,
		},
	},
	metadata: {
		method: "GET",
		path: "/metadata",
		summary: "What serves here, and where clients should talk to",
		answer: metadataSchema,
		failures: {},
	},
	health: {
		method: "GET",
		path: "/health",
		summary: "Answers while the process is up",
		answer: z.object({
			status: z.literal("ok"),
			runtime: z.literal("rivetkit"),
			version: z.string(),
		}),
		failures: {},
	},
	ready: {
		method: "GET",
		path: "/ready",
		summary:
			"Whether calls should be sent here: the store can be reached, and the node's lease is held",
		answer: z.object({
			status: z.literal("ready"),
			runtime: z.literal("rivetkit"),
			version: z.string(),
		}),
		failures: {
			503: {
				description: "Not now, and why",
				schema: z.object({
					status: z.literal("unavailable"),
					runtime: z.literal("rivetkit"),
					version: z.string(),
					reason: z.string(),
				}),
			},
		},
	},
	metrics: {
		method: "GET",
		path: "/metrics",
		summary: "Metrics of the actors and the process, as Prometheus text",
		failures: {
			403: { description: "`auth.forbidden`", schema: errorSchema },
			404: { description: "Nothing is measured", schema: errorSchema },
		},
	},
	openapi: {
		method: "GET",
		path: "/doc",
		summary: "This document",
		answer: z.looseObject({ openapi: z.string() }),
		failures: {},
	},
	greeting: { method: "GET", path: "/", summary: "A greeting", failures: {} },
} as const satisfies Record<string, ApiOperation>;

export type OperationId = keyof typeof OPERATIONS;
