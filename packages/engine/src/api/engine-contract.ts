/**
 * The management API of an engine apart from any application, as data (engine 2): shapes that requests are
 * checked with, and the descriptions its OpenAPI document is made from.
 */
import { z } from "zod";
import { ANY_NAME_CHARS_MAX } from "../directory/any-name.ts";
import { poolConfigSchema } from "../pools/pool-config.ts";
import { type ApiOperation, errorSchema, paginationSchema } from "./contract.ts";
import { CURSOR } from "./cursor.ts";

const ENGINE_LIST_LIMIT_DEFAULT = 100;
const LIST_LIMIT_MAX = 10_000;

const timestamp = z.int().describe("Milliseconds since the epoch");

const page = {
	limit: z.coerce.number().int().min(1).max(LIST_LIMIT_MAX).default(ENGINE_LIST_LIMIT_DEFAULT),
};
const byTime = {
	...page,
	cursor: z
		.string()
		.regex(CURSOR)
		.optional()
		.describe("From `pagination.cursor`, or a creation time: only older ones are listed"),
};
const byName = {
	...page,
	cursor: z.string().optional().describe("From `pagination.cursor`: only names after it"),
};
const namespace = z.string().min(1).describe("Name of the namespace");
const repeated = z.array(z.string()).optional().describe("May be given several times");
const commaList = z.string().optional().describe("Separated by commas");

/** Query parameters that may be given several times. */
export const REPEATABLE: ReadonlySet<string> = new Set([
	"namespace_id",
	"actor_id",
	"runner_id",
	"runner_name",
]);

export const scopeQuery = z.strictObject({ namespace });
export const noQuery = z.strictObject({ namespace: namespace.optional() });

export const namespacesQuery = z.strictObject({
	...byTime,
	name: z.string().optional(),
	namespace_id: repeated,
	namespace_ids: commaList,
});

export const namespaceBody = z
	.strictObject({ name: z.string(), display_name: z.string() })
	.meta({ id: "CreateNamespace" });

export const actorsQuery = z.strictObject({
	namespace,
	...byTime,
	name: z.string().optional(),
	key: z.string().optional(),
	actor_id: repeated,
	actor_ids: commaList,
	include_destroyed: z.enum(["true", "false"]).optional(),
});

const createFields = {
	name: z.string().min(1).describe(`At most ${ANY_NAME_CHARS_MAX} characters`),
	runner_name_selector: z.string().describe("The pool"),
	crash_policy: z.enum(["restart", "sleep", "destroy"]),
	input: z.string().nullish().describe("Base64 of bytes that the runner gets at every start"),
	datacenter: z.string().nullish().describe("Name of the datacenter"),
};

export const engineGetOrCreateBody = z
	.strictObject({ ...createFields, key: z.string() })
	.meta({ id: "GetOrCreateActor" });

export const engineCreateBody = z
	.strictObject({ ...createFields, key: z.string().nullish() })
	.meta({ id: "CreateActor" });

export const namesQuery = z.strictObject({ namespace, ...byName });

export const runnersQuery = z.strictObject({
	namespace,
	...byTime,
	name: z.string().optional().describe("The pool"),
	runner_id: repeated,
	runner_ids: commaList,
	include_stopped: z.enum(["true", "false"]).optional(),
});

/** What runners say there. */
export const connectQuery = z.looseObject({
	namespace: z.string().optional(),
	protocol_version: z.string().optional(),
	runner_key: z.string().optional(),
});

export const poolsQuery = z.strictObject({
	namespace,
	...byName,
	variant: z.enum(["serverless", "normal"]).optional(),
	runner_name: repeated,
	runner_names: commaList,
});

/** Tolerates more fields: 2.1.3 clients send one (engine 2.1). */
export const poolBody = z
	.object({ datacenters: z.record(z.string(), z.unknown()).describe("RunnerConfig by datacenter") })
	.meta({ id: "PutRunnerConfig" });

export const healthCheckBody = z
	.strictObject({ url: z.string(), headers: z.record(z.string(), z.string()).optional() })
	.meta({ id: "ServerlessHealthCheck" });

export const emptyBody = z.strictObject({}).meta({ id: "Empty" });

const namespaceSchema = z
	.object({
		namespace_id: z.string(),
		name: z.string(),
		display_name: z.string(),
		create_ts: timestamp,
	})
	.meta({ id: "Namespace" });

const poolErrorSchema = z
	.union([
		z.enum(["serverless_stream_ended_early", "internal_error"]),
		z.object({ serverless_http_error: z.object({ status_code: z.int(), body: z.string() }) }),
		z.object({ serverless_connection_error: z.object({ message: z.string() }) }),
		z.object({
			serverless_invalid_sse_payload: z.object({
				message: z.string(),
				raw_payload: z.string(),
			}),
		}),
	])
	.meta({ id: "RunnerPoolError" });

const actorErrorSchema = z
	.union([
		z.enum(["no_capacity", "internal_error"]),
		z.object({ runner_pool_error: poolErrorSchema }),
		z.object({ runner_no_response: z.object({ runner_id: z.string() }) }),
		z.object({ runner_connection_lost: z.object({ runner_id: z.string() }) }),
		z.object({ runner_draining_timeout: z.object({ runner_id: z.string() }) }),
		z.object({ crashed: z.object({ message: z.string().nullable() }) }),
	])
	.meta({ id: "ActorError" });

export const engineActorSchema = z
	.object({
		actor_id: z.string(),
		name: z.string().describe("Type of the actor"),
		key: z.string().nullable(),
		namespace_id: z.string(),
		datacenter: z.string(),
		runner_name_selector: z.string().describe("The pool"),
		crash_policy: z.string(),
		create_ts: timestamp,
		start_ts: timestamp.nullable(),
		connectable_ts: timestamp.nullable(),
		sleep_ts: timestamp.nullable(),
		pending_allocation_ts: timestamp.nullable(),
		reschedule_ts: timestamp.nullable(),
		destroy_ts: timestamp.nullable(),
		error: actorErrorSchema.optional().describe("Why it does not run"),
		status: z
			.enum(["awake", "starting", "stopping", "failing", "sleeping", "destroyed"])
			.describe("What the actor does now"),
	})
	.meta({ id: "Actor" });

export const runnerSchema = z
	.object({
		runner_id: z.string(),
		namespace_id: z.string(),
		datacenter: z.string(),
		name: z.string().describe("The pool"),
		key: z.string(),
		version: z.int(),
		total_slots: z.int(),
		remaining_slots: z.int(),
		create_ts: timestamp,
		drain_ts: timestamp.nullable(),
		stop_ts: timestamp.nullable(),
		last_ping_ts: timestamp,
		last_connected_ts: timestamp.nullable(),
		last_rtt: z.int().describe("Milliseconds"),
		metadata: z.unknown().nullable(),
	})
	.meta({ id: "Runner" });

const paged = <T extends z.ZodRawShape>(shape: T) =>
	z.object({ ...shape, pagination: paginationSchema });

const refused = (description: string) => ({ 400: { description, schema: errorSchema } });
const forbidden = { 403: { description: "`api.forbidden`", schema: errorSchema } };
const gone = { 404: { description: "`actor.not_found`", schema: errorSchema } };
const noNamespace = "`api.bad_request`, `namespace.not_found`";
const creation =
	`${noNamespace}, \`datacenter.not_found\`, \`actor.no_runner_config_configured\`, \`actor.empty_key\`, ` +
	"`actor.key_too_large`, `actor.input_too_large`, `request.invalid`";

/** All routes, by operation id. */
export const ENGINE_OPERATIONS = {
	health: {
		method: "GET",
		path: "/health",
		summary: "Answers while the process is up",
		answer: z.object({
			status: z.literal("ok"),
			runtime: z.literal("engine"),
			version: z.string(),
		}),
		failures: {},
	},
	ready: {
		method: "GET",
		path: "/ready",
		summary: "Whether calls should be sent here: the store can be reached",
		answer: z.object({
			status: z.literal("ready"),
			runtime: z.literal("engine"),
			version: z.string(),
		}),
		failures: {
			503: {
				description: "Not now, and why",
				schema: z.object({
					status: z.literal("unavailable"),
					runtime: z.literal("engine"),
					version: z.string(),
					reason: z.string(),
				}),
			},
		},
	},
	metadata: {
		method: "GET",
		path: "/metadata",
		summary: "What serves here",
		answer: z.looseObject({
			runtime: z.literal("engine"),
			version: z.string(),
			capabilities: z.array(z.string()),
		}),
		failures: {},
	},
	healthFanout: {
		method: "GET",
		path: "/health/fanout",
		summary: "The health of every datacenter",
		query: noQuery,
		answer: z.object({
			datacenters: z.array(
				z.object({
					datacenter_label: z.int(),
					datacenter_name: z.string(),
					status: z.enum(["ok", "error"]),
					rtt_ms: z.number(),
					response: z.unknown().nullable(),
					error: z.string().nullable(),
				}),
			),
		}),
		failures: forbidden,
	},
	listDatacenters: {
		method: "GET",
		path: "/datacenters",
		summary: "The datacenters",
		query: noQuery,
		answer: paged({
			datacenters: z.array(z.object({ label: z.int(), name: z.string(), url: z.string() })),
		}),
		failures: forbidden,
	},
	listNamespaces: {
		method: "GET",
		path: "/namespaces",
		summary: "Namespaces by name, by id, or all, newest first",
		query: namespacesQuery,
		answer: paged({ namespaces: z.array(namespaceSchema) }),
		failures: { ...refused("`api.bad_request`"), ...forbidden },
	},
	createNamespace: {
		method: "POST",
		path: "/namespaces",
		summary: "A new namespace",
		body: namespaceBody,
		answer: z.object({ namespace: namespaceSchema }),
		failures: {
			...refused("`api.bad_request`, `namespace.failed_to_create`, `namespace.name_not_unique`"),
			...forbidden,
		},
	},
	listActors: {
		method: "GET",
		path: "/actors",
		summary: "Actors by id, by name and key, or all of one name, newest first",
		query: actorsQuery,
		answer: paged({ actors: z.array(engineActorSchema) }),
		failures: {
			...refused(`${noNamespace}, \`validation.invalid_input\`, \`validation.too_many_actor_ids\``),
			...forbidden,
		},
	},
	createActor: {
		method: "POST",
		path: "/actors",
		summary: "A new actor; answers when it is known, not when it runs",
		query: scopeQuery,
		body: engineCreateBody,
		answer: z.object({ actor: engineActorSchema }),
		failures: { ...refused(`${creation}, \`actor.duplicate_key\``), ...forbidden },
	},
	getOrCreateActor: {
		method: "PUT",
		path: "/actors",
		summary:
			"The actor with this name and key, made if there is none; what is stored of one that is there stays",
		query: scopeQuery,
		body: engineGetOrCreateBody,
		answer: z.object({ actor: engineActorSchema, created: z.boolean() }),
		failures: { ...refused(creation), ...forbidden },
	},
	listActorNames: {
		method: "GET",
		path: "/actors/names",
		summary: "Names that have or had actors, or were announced, sorted",
		query: namesQuery,
		answer: paged({ names: z.record(z.string(), z.object({ metadata: z.unknown() })) }),
		failures: { ...refused(noNamespace), ...forbidden },
	},
	destroyActor: {
		method: "DELETE",
		path: "/actors/{actor_id}",
		summary: "Destroys the actor with all its data, at once; its runner is told to stop it",
		query: scopeQuery,
		answer: z.object({}),
		failures: { ...refused(noNamespace), ...forbidden, ...gone },
	},
	readKv: {
		method: "GET",
		path: "/actors/{actor_id}/kv/keys/{key}",
		summary: "One value of the actor's store; the key is base64 of its bytes",
		query: scopeQuery,
		answer: z.object({
			value: z.string().describe("Base64"),
			update_ts: timestamp.describe("When it was put last; 0 where nobody knows"),
		}),
		failures: { ...refused(`${noNamespace}, \`actor.kv_key_not_found\``), ...forbidden, ...gone },
	},
	connectRunner: {
		method: "GET",
		path: "/runners/connect",
		summary: "Where runners open their WebSocket; says to others that it is here",
		query: connectQuery,
		failures: { ...refused("`guard.missing_header`"), ...forbidden },
	},
	listRunners: {
		method: "GET",
		path: "/runners",
		summary: "Runners, newest first",
		query: runnersQuery,
		answer: paged({ runners: z.array(runnerSchema) }),
		failures: { ...refused(noNamespace), ...forbidden },
	},
	listRunnerNames: {
		method: "GET",
		path: "/runners/names",
		summary: "Names of pools that have runners, sorted",
		query: namesQuery,
		answer: paged({ names: z.array(z.string()) }),
		failures: { ...refused(noNamespace), ...forbidden },
	},
	listRunnerConfigs: {
		method: "GET",
		path: "/runner-configs",
		summary: "How pools are configured, by name",
		query: poolsQuery,
		answer: paged({
			runner_configs: z.record(
				z.string(),
				z.object({ datacenters: z.record(z.string(), poolConfigSchema) }),
			),
		}),
		failures: { ...refused(noNamespace), ...forbidden },
	},
	putRunnerConfig: {
		method: "PUT",
		path: "/runner-configs/{runner_name}",
		summary: "Configures a pool; a datacenter that is not named loses its configuration",
		query: scopeQuery,
		body: poolBody,
		answer: z.object({ endpoint_config_changed: z.boolean() }),
		failures: {
			...refused(`${noNamespace}, \`datacenter.not_found\`, \`runner_config.invalid\``),
			...forbidden,
		},
	},
	deleteRunnerConfig: {
		method: "DELETE",
		path: "/runner-configs/{runner_name}",
		summary: "Removes a pool's configuration, if there is one",
		query: scopeQuery,
		answer: z.object({}),
		failures: { ...refused(noNamespace), ...forbidden },
	},
	refreshRunnerMetadata: {
		method: "POST",
		path: "/runner-configs/{runner_name}/refresh-metadata",
		summary: "Asks the host of a serverless pool what it has",
		query: scopeQuery,
		body: emptyBody,
		answer: z.object({}),
		failures: { ...refused(`${noNamespace}, \`runner_config.not_found\``), ...forbidden },
	},
	checkServerlessHealth: {
		method: "POST",
		path: "/runner-configs/serverless-health-check",
		summary: "Whether a URL is a serverless host",
		query: scopeQuery,
		body: healthCheckBody,
		answer: z.union([
			z.object({ success: z.object({ version: z.string() }) }),
			z.object({
				failure: z.object({
					error: z.object({
						message: z.string(),
						details: z.string().optional(),
						metadata: z.looseObject({ kind: z.string() }),
					}),
				}),
			}),
		]),
		failures: { ...refused(noNamespace), ...forbidden },
	},
	metrics: {
		method: "GET",
		path: "/metrics",
		summary: "Metrics as Prometheus text",
		failures: {
			...forbidden,
			404: { description: "Nothing is measured here", schema: errorSchema },
		},
	},
	openapi: {
		method: "GET",
		path: "/doc",
		summary: "This document",
		query: noQuery,
		answer: z.looseObject({ openapi: z.string() }),
		failures: {},
	},
} as const satisfies Record<string, ApiOperation>;

export type EngineOperationId = keyof typeof ENGINE_OPERATIONS;
