import { resolve } from "node:path";
import { isLoopbackHost } from "@rivetkit/protocol";
import { readConfigFiles } from "./config-files.ts";
import { problemsOf, type Source } from "./config-problems.ts";
import { configSchema, type Given } from "./config-schema.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { readEnvironment } from "./environment.ts";
import { withoutEffect } from "./without-effect.ts";

/** Where configuration is looked for when no file is named, if it is there. */
const SYSTEM_DIRECTORY = "/etc/rivet";
/** The datacenter of an engine that is configured with none. */
const DATACENTER = "default";
const GUARD_PORT = 6_420;
const PEER_PORT = 6_421;
const METRICS_PORT = 6_430;
const FORCE_SHUTDOWN_MS = 60_000;
/** What a stop may take beyond its open requests. */
const FORCE_AFTER_GUARD_MS = 30_000;
const LOOPBACK = "127.0.0.1";
const EVERY_INTERFACE = "::";

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
		checked(content, { path }),
	);
	const fromEnv = checked(readEnvironment(env), "environment");
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

function checked(content: unknown, source: Source): Given {
	const result = configSchema.safeParse(content);
	if (result.success) return result.data;
	throw new ConfigurationError(problemsOf(result.error.issues, content, source));
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
