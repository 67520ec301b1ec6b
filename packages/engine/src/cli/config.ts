import { resolve } from "node:path";
import { ENGINE_TOKEN_ALPHABET, isEngineToken, isLoopbackHost } from "@rivetkit/protocol";
import { z } from "zod";
import { readConfigFiles } from "./config-files.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { withoutEffect } from "./without-effect.ts";

/** Where configuration is looked for when no file is named, if it is there. */
const SYSTEM_DIRECTORY = "/etc/rivet";
/** The datacenter of an engine that is configured with none. */
const DATACENTER = "default";
const PREFIX = "RIVET__";
const GUARD_PORT = 6_420;
const PEER_PORT = 6_421;
const METRICS_PORT = 6_430;
const FORCE_SHUTDOWN_MS = 60_000;
/** What a stop may take beyond its open requests. */
const FORCE_AFTER_GUARD_MS = 30_000;
const LOOPBACK = "127.0.0.1";
const EVERY_INTERFACE = "::";

/** A number, or text that is one, as environments have it. */
const integer = (min: number, max: number) =>
	z.preprocess(
		(value) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value),
		z.number().int().min(min).max(max),
	);
const port = integer(0, 65_535);
const label = integer(0, 65_535);
/** Milliseconds, or a count. */
const whole = integer(0, Number.MAX_SAFE_INTEGER);
/** As the published engine has it. */
const seconds = integer(0, 1_000_000_000);
const flag = z.preprocess(
	(value) => (value === "true" ? true : value === "false" ? false : value),
	z.boolean(),
);
/** Text with commas, or a list. */
const list = z.preprocess(
	(value) => (typeof value === "string" ? value.split(",").map((one) => one.trim()) : value),
	z.array(z.string().min(1)),
);
const datacenter = z.strictObject({
	name: z.string().min(1).optional(),
	datacenter_label: label.optional(),
	is_leader: flag.optional(),
	public_url: z.url({ protocol: /^https?$/ }).optional(),
	peer_url: z.string().optional(),
	proxy_url: z.string().optional(),
	valid_hosts: list.optional(),
});
const address = z.strictObject({ host: z.string().min(1).optional(), port: port.optional() });

/** Contract: engine 8. Keys that are not here are refused by name. */
const schema = z.strictObject({
	auth: z
		.strictObject({
			admin_token: z
				.string()
				.min(1)
				.refine(isEngineToken, { error: ENGINE_TOKEN_ALPHABET })
				.optional(),
			open_actor_creation: flag.optional(),
		})
		.optional(),
	gateway: z
		.strictObject({
			require_token: flag.optional(),
			tunnel_backlog_max_size: whole.optional(),
			tunnel_backlog_max_messages: whole.optional(),
			tunnel_backlog_max_ends: whole.optional(),
		})
		.optional(),
	guard: z
		.strictObject({
			...address.shape,
			http_max_request_body_size: whole.optional(),
			websocket_max_message_size: whole.optional(),
			actor_ready_timeout_ms: whole.optional(),
			actor_force_wake_pending_timeout_ms: whole.optional(),
			https: z
				.strictObject({
					port: port.optional(),
					tls: z
						.strictObject({
							actor_cert_path: z.string().optional(),
							actor_key_path: z.string().optional(),
							api_cert_path: z.string().optional(),
							api_key_path: z.string().optional(),
						})
						.optional(),
				})
				.optional(),
		})
		.optional(),
	api_peer: address.optional(),
	metrics: address.optional(),
	file_system: z.strictObject({ path: z.string().min(1) }).optional(),
	postgres: z
		.strictObject({
			url: z.string().refine((url) => /^postgres(ql)?:/.test(url) && URL.canParse(url), {
				error: "must look like postgres://user:password@host:5432/database (RIVET__POSTGRES__URL)",
			}),
			ssl: z
				.strictObject({
					root_cert_path: z.string().optional(),
					client_cert_path: z.string().optional(),
					client_key_path: z.string().optional(),
				})
				.optional(),
		})
		.optional(),
	// Ours: this process among others on one PostgreSQL.
	node: z
		.strictObject({
			...address.shape,
			address: z.string().min(1).optional(),
			name: z.string().min(1).optional(),
			lease_ms: integer(1_000, Number.MAX_SAFE_INTEGER).optional(),
		})
		.optional(),
	pegboard: z
		.strictObject({
			base_retry_timeout: whole.optional(),
			reschedule_backoff_max_exponent: whole.optional(),
			retry_reset_duration: whole.optional(),
			actor_start_threshold: whole.optional(),
			actor_stop_threshold: whole.optional(),
			runner_eligible_threshold: whole.optional(),
			runner_lost_threshold: whole.optional(),
			runner_update_ping_interval_ms: whole.optional(),
			gateway_websocket_open_timeout_ms: whole.optional(),
			gateway_response_start_timeout_ms: whole.optional(),
			gateway_hws_max_pending_size: whole.optional(),
			gateway_hws_message_ack_timeout_ms: whole.optional(),
			gateway_gc_interval_ms: whole.optional(),
			serverless_base_retry_timeout: whole.optional(),
			serverless_backoff_max_exponent: whole.optional(),
			serverless_retry_reset_duration: whole.optional(),
			default_metadata_poll_interval: whole.optional(),
			min_metadata_poll_interval: whole.optional(),
			runner_pool_consecutive_successes_to_clear_error: whole.optional(),
			pool_desired_max_override: whole.optional(),
			gateway_update_ping_interval_ms: whole.optional(),
			gateway_tunnel_ping_timeout_ms: whole.optional(),
			hibernating_request_eligible_threshold: whole.optional(),
			actor_allocation_candidate_sample_size: whole.optional(),
		})
		.optional(),
	topology: z
		.strictObject({
			datacenter_label: label.optional(),
			datacenters: z.union([z.array(datacenter), z.record(z.string(), datacenter)]).optional(),
		})
		.optional(),
	runtime: z
		.strictObject({
			guard_shutdown_duration: seconds.optional(),
			force_shutdown_duration: seconds.optional(),
			worker_shutdown_duration: seconds.optional(),
			worker: z.strictObject({ shutdown_duration: seconds.optional() }).optional(),
			allow_version_rollback: flag.optional(),
		})
		.optional(),
	logs: z.strictObject({ redirect_logs_dir: z.string().min(1).optional() }).optional(),
	cache: z
		.strictObject({ enabled: flag.optional(), driver: z.string().min(1).optional() })
		.optional(),
	nats: z
		.strictObject({
			addresses: list.optional(),
			port: port.optional(),
			username: z.string().optional(),
			password: z.string().optional(),
		})
		.optional(),
	postgres_notify: z.unknown().optional(),
	memory: z.unknown().optional(),
	telemetry: z.strictObject({ enabled: flag.optional() }).optional(),
});

type Given = z.infer<typeof schema>;

export interface Address {
	readonly host: string;
	readonly port: number;
}

export interface DatacenterConfig {
	readonly name: string;
	readonly label: number;
	/** Where hosts of serverless pools find the engine; undefined for where it listens. */
	readonly publicUrl: string | undefined;
}

/** The configuration of `rivet-engine`, with defaults. */
export interface EngineConfig {
	readonly given: Given;
	readonly token: string | undefined;
	readonly guard: Address;
	readonly peer: Address;
	readonly metrics: Address;
	/** The one datacenter. */
	readonly datacenter: DatacenterConfig;
	/** Absolute. */
	readonly directory: string;
	/** How long open requests may take when it stops; undefined for the engine's default. */
	readonly guardShutdownMs: number | undefined;
	/** How long a stop may take (ms). */
	readonly forceShutdownMs: number;
	/** Settings that change nothing, one sentence each. */
	readonly warnings: readonly string[];
}

/** Times that suit development: short pauses, quick losses (contract: engine 8). */
const DEVELOPMENT: Given = {
	pegboard: {
		retry_reset_duration: 100,
		base_retry_timeout: 100,
		reschedule_backoff_max_exponent: 1,
		runner_eligible_threshold: 5_000,
		runner_lost_threshold: 7_000,
		min_metadata_poll_interval: 1_000,
	},
	runtime: { force_shutdown_duration: 2 },
};

export interface ConfigSources {
	/** Files or directories, in order; later ones win. */
	readonly files: readonly string[];
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly isDevelopment: boolean;
}

/** Defaults, then files, then the environment: the later wins. Throws a {@link ConfigurationError}. */
export function readConfig({ files, env, isDevelopment }: ConfigSources): EngineConfig {
	const layers = readConfigFiles(files, SYSTEM_DIRECTORY).map(({ path, content }) =>
		checked(content, path),
	);
	const fromEnv = checked(environmentTree(env), "the environment");
	const merged = [isDevelopment ? DEVELOPMENT : {}, ...layers, fromEnv].reduce(merge, {}) as Given;
	if (merged.file_system && merged.postgres) {
		throw new ConfigurationError("file_system and postgres cannot be used together; remove one");
	}
	if (merged.guard?.https) {
		throw new ConfigurationError(
			"guard.https: this engine does not serve TLS; have a proxy in front of guard.port serve it, and remove guard.https",
		);
	}
	const token = merged.auth?.admin_token;
	const guardShutdownMs = inMs(merged.runtime?.guard_shutdown_duration);
	// Q26: without a token nobody else may come in.
	const outside = token === undefined ? LOOPBACK : EVERY_INTERFACE;
	return {
		given: merged,
		token,
		guard: { host: merged.guard?.host ?? outside, port: merged.guard?.port ?? GUARD_PORT },
		peer: { host: merged.api_peer?.host ?? LOOPBACK, port: merged.api_peer?.port ?? PEER_PORT },
		metrics: {
			host: merged.metrics?.host ?? LOOPBACK,
			port: merged.metrics?.port ?? METRICS_PORT,
		},
		datacenter: readDatacenter(merged),
		directory: resolve(merged.file_system?.path ?? "data/db"),
		guardShutdownMs,
		forceShutdownMs:
			inMs(merged.runtime?.force_shutdown_duration) ??
			Math.max(FORCE_SHUTDOWN_MS, (guardShutdownMs ?? 0) + FORCE_AFTER_GUARD_MS),
		warnings: withoutEffect(merged),
	};
}

function inMs(seconds: number | undefined): number | undefined {
	return seconds === undefined ? undefined : seconds * 1_000;
}

/** Whether everybody in the network could use the engine without a token. */
export function isOpenToAll({ guard, token }: EngineConfig): boolean {
	return token === undefined && !isLoopbackHost(guard.host);
}

/** This engine is one datacenter: more of them, or one that is not this, cannot be served. */
function readDatacenter({ topology }: Given): DatacenterConfig {
	const given = topology?.datacenters ?? {};
	const all = Array.isArray(given)
		? given
		: Object.entries(given).map(([name, one]) => ({ name, ...one }));
	if (all.length > 1) {
		throw new ConfigurationError(
			"topology.datacenters: this engine is one datacenter; name only that",
		);
	}
	const [only] = all;
	const label = topology?.datacenter_label ?? only?.datacenter_label ?? 1;
	if (only?.datacenter_label !== undefined && only.datacenter_label !== label) {
		throw new ConfigurationError(
			`topology.datacenter_label is ${label}, but the one datacenter has ${only.datacenter_label}`,
		);
	}
	return { name: only?.name ?? DATACENTER, label, publicUrl: only?.public_url };
}

/** `RIVET__GUARD__PORT=1` as `{ guard: { port: "1" } }`; case does not matter. */
function environmentTree(env: ConfigSources["env"]): object {
	const tree: Record<string, unknown> = {};
	for (const [name, value] of Object.entries(env)) {
		const upper = name.toUpperCase();
		if (!upper.startsWith(PREFIX) || value === undefined) continue;
		if (value === "") {
			throw new ConfigurationError(
				`the environment: ${name} is empty; give it a value, or unset it`,
			);
		}
		const path = upper.slice(PREFIX.length).toLowerCase().split("__");
		let at = tree;
		for (const key of path.slice(0, -1)) {
			at[key] ??= {};
			at = at[key] as Record<string, unknown>;
		}
		at[path.at(-1)!] = value;
	}
	return tree;
}

function checked(content: unknown, where: string): Given {
	const result = schema.safeParse(content);
	if (result.success) return result.data;
	const problems = result.error.issues.map((issue) => {
		const path = issue.path.join(".");
		if (issue.code !== "unrecognized_keys") return `${path}: ${issue.message}`;
		const keys = issue.keys.map((key) => (path ? `${path}.${key}` : key));
		const advice = keys.includes("database")
			? " (the database is configured at the top level: postgres.url or RIVET__POSTGRES__URL, file_system.path or RIVET__FILE_SYSTEM__PATH)"
			: "";
		return `unknown key ${keys.join(", ")}${advice}`;
	});
	throw new ConfigurationError(`${where}: ${problems.join("; ")}`);
}

function merge(before: object, after: object): object {
	const merged: Record<string, unknown> = { ...before };
	for (const [key, value] of Object.entries(after)) {
		const known = merged[key];
		merged[key] = isTree(known) && isTree(value) ? merge(known, value) : value;
	}
	return merged;
}

function isTree(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
