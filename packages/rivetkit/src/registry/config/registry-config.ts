import { z } from "zod";
import { type ConfigIssue, configError } from "../../config/config-error.ts";
import { getLogger } from "../../log/base-logger.ts";
import { LOG_LEVELS } from "../../log/levels.ts";
import { TRACE_LIMITS } from "../../runtime/telemetry/host-telemetry.ts";
import { VERSION } from "../../utils/version.ts";
import { databaseConfig, nodeConfig } from "./database.ts";
import { backendEndpoint, publicEndpoint } from "./endpoints.ts";
import { type Environment, envFlag, envNumber, envText, isDevelopment } from "./environment.ts";
import type {
	RegistryConfig,
	RegistryConfigInput,
	RunnerPoolConfig,
	RunnerPoolConfigInput,
} from "./registry-config.types.ts";
import { DocRegistryConfigSchema, U32_MAX } from "./schemas.ts";
import { nameWarnings, unknownKeyWarnings } from "./warnings.ts";

export type {
	RegistryActors,
	RegistryConfig,
	RegistryConfigInput,
	RunnerPoolConfig,
	RunnerPoolConfigInput,
	TestConfig,
} from "./registry-config.types.ts";

/** Port of the local API (api 14.1). */
export const DEFAULT_MANAGER_PORT = 6420;

const reported = new WeakSet<object>();

/**
 * Checks what was given to `setup()` and applies defaults and environment. Throws a `ZodError` with all
 * problems and their paths (api 14.2), or an `EnvironmentError` with the same where only variables of the environment
 * are wrong. What is legal but probably not meant is logged, once per input.
 */
export function parseRegistryConfig(input: unknown, env: Environment): RegistryConfig {
	const result = readRegistryConfig(input, env);
	if (result.issues.length > 0) throw configError("Invalid registry config", result.issues);
	const { config } = result;
	if (!reported.has(input as object)) {
		reported.add(input as object);
		report(config);
	}
	return config;
}

/** The configured level counts, although it is applied later, when the registry starts. */
function report({ warnings, logging }: RegistryConfig): void {
	const { baseLogger, level } = logging;
	if (!baseLogger && level && LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf("warn")) return;
	const log = baseLogger ?? getLogger("registry");
	for (const warning of warnings) log.warn(warning);
}

/** The same as a schema, reading the process's environment. */
export const RegistryConfigSchema: z.ZodType<RegistryConfig> = z
	.unknown()
	.transform((input, context) => {
		const { config, issues } = readRegistryConfig(input, globalThis.process?.env ?? {});
		for (const { path, message } of issues) {
			context.addIssue({ code: "custom", path: [...path], message });
		}
		return issues.length > 0 ? z.NEVER : config;
	});

interface Read {
	readonly config: RegistryConfig;
	/** When there are any, `config` is not to be used. */
	readonly issues: readonly ConfigIssue[];
}

function readRegistryConfig(input: unknown, env: Environment): Read {
	const checked = DocRegistryConfigSchema.safeParse(input);
	if (!checked.success) {
		const issues = checked.error.issues.map(({ path, message }) => ({
			path: path as (string | number)[],
			message,
		}));
		return { config: undefined as never, issues };
	}
	// The input itself, not the schema's copy: definitions and loggers keep their identity.
	return resolve(input as RegistryConfigInput, env);
}

function resolve(input: RegistryConfigInput, env: Environment): Read {
	const issues: ConfigIssue[] = [];
	const serverless = input.serverless ?? {};
	const runner = input.runner ?? {};
	const inspector = input.inspector ?? {};
	const inspectorEnabled = inspector.enabled ?? !envFlag(env, "RIVET_INSPECTOR_DISABLE");
	const backend = backendEndpoint(input, env, issues);
	const spawnEngine = serverless.spawnEngine ?? envFlag(env, "RIVET_RUN_ENGINE");
	const pool = serverless.configureRunnerPool;
	const config: RegistryConfig = {
		use: input.use,
		driver: input.driver,
		database: databaseConfig(input, env),
		node: nodeConfig(input, env, issues),
		storagePath: input.storagePath ?? envText(env, "RIVETKIT_STORAGE_PATH"),
		maxIncomingMessageSize: input.maxIncomingMessageSize ?? 65_536,
		maxOutgoingMessageSize: input.maxOutgoingMessageSize ?? 1_048_576,
		maxOpenDatabases: input.maxOpenDatabases ?? 128,
		limits: withoutUndefined(input.limits ?? {}),
		noWelcome: input.noWelcome ?? false,
		logging: { level: input.logging?.level, baseLogger: input.logging?.baseLogger },
		...backend,
		headers: input.headers ?? {},
		serveManager:
			input.serveManager ?? (isDevelopment(env) && backend.endpoint === undefined && !spawnEngine),
		managerBasePath: withoutEndSlash(input.managerBasePath ?? "/"),
		managerPort: input.managerPort ?? DEFAULT_MANAGER_PORT,
		managerHost: input.managerHost,
		inspector: {
			enabled: inspectorEnabled,
			token: inspector.token ?? (() => env.RIVET_INSPECTOR_TOKEN ?? ""),
			defaultEndpoint: inspector.defaultEndpoint,
		},
		dashboard: {
			enabled:
				input.dashboard?.enabled ?? (inspectorEnabled && !envFlag(env, "RIVET_DASHBOARD_DISABLE")),
		},
		traces: traces(input.traces ?? {}, env),
		metrics: { enabled: input.metrics?.enabled ?? true },
		serverless: {
			spawnEngine,
			engineVersion:
				serverless.engineVersion ?? envText(env, "RIVET_RUN_ENGINE_VERSION") ?? VERSION,
			configureRunnerPool: pool && runnerPool(pool),
			basePath: withoutEndSlash(serverless.basePath ?? "/api/rivet"),
			...publicEndpoint(serverless, backend.namespace, env, issues),
		},
		runner: {
			totalSlots:
				runner.totalSlots ??
				envNumber(env, "RIVET_TOTAL_SLOTS", ["runner", "totalSlots"], issues, {
					min: 1,
					max: U32_MAX,
				}) ??
				100_000,
			runnerName: runner.runnerName ?? envText(env, "RIVET_RUNNER", "RIVET_POOL") ?? "default",
			runnerKey: runner.runnerKey ?? envText(env, "RIVET_RUNNER_KEY"),
			version:
				runner.version ??
				envNumber(env, "RIVET_RUNNER_VERSION", ["runner", "version"], issues, {
					min: 0,
					max: U32_MAX,
				}) ??
				1,
		},
		handleSignals: input.handleSignals ?? true,
		shutdownTimeout: input.shutdownTimeout ?? 15_000,
		test: { enabled: input.test?.enabled ?? false },
		warnings: [...unknownKeyWarnings(input), ...nameWarnings(input.use)],
	};
	issues.push(...contradictions(config, input));
	return { config, issues };
}

/** Settings that exclude each other (api 14.1, 14.2). */
function* contradictions(
	config: RegistryConfig,
	input: RegistryConfigInput,
): Generator<ConfigIssue> {
	const { endpoint, driver, serverless } = config;
	const hasEndpoint = endpoint !== undefined;
	const remote = `endpoint ${endpoint} (option, RIVET_ENGINE or RIVET_ENDPOINT)`;
	if (hasEndpoint && driver) {
		yield { path: ["driver"], message: `cannot be used together with ${remote}; remove one` };
	}
	if (input.database?.postgres && (driver || hasEndpoint)) {
		const other = driver ? "driver" : remote;
		yield { path: ["database"], message: `cannot be used together with ${other}; remove one` };
	}
	if (hasEndpoint && input.serveManager) {
		yield {
			path: [],
			message: `serveManager runs a local server and cannot be used together with ${remote}; remove one`,
		};
	}
	if (hasEndpoint && serverless.spawnEngine) {
		yield {
			path: [],
			message: `serverless.spawnEngine (or RIVET_RUN_ENGINE) starts an engine and cannot be used together with ${remote}; remove one`,
		};
	}
	if (serverless.configureRunnerPool && !hasEndpoint && !serverless.spawnEngine) {
		yield {
			path: [],
			message:
				"serverless.configureRunnerPool needs an engine; set endpoint or serverless.spawnEngine",
		};
	}
}

function traces(
	{
		enabled,
		maxPerSecond,
		maxSpans,
		maxBytes,
		maxTotalBytes,
		maxAge,
		store,
	}: NonNullable<RegistryConfigInput["traces"]>,
	env: Environment,
): RegistryConfig["traces"] {
	const isOn = enabled ?? (envFlag(env, "RIVET_EXPERIMENTAL_OTEL") || isDevelopment(env));
	if (!isOn) return null;
	return {
		maxPerSecond: maxPerSecond ?? TRACE_LIMITS.maxPerSecond,
		store: store ?? TRACE_LIMITS.store,
		maxSpans: maxSpans ?? TRACE_LIMITS.maxSpans,
		maxBytes: maxBytes ?? TRACE_LIMITS.maxBytes,
		maxTotalBytes: maxTotalBytes ?? TRACE_LIMITS.maxTotalBytes,
		maxAge: maxAge ?? TRACE_LIMITS.maxAge,
	};
}

function runnerPool(input: RunnerPoolConfigInput): RunnerPoolConfig {
	return {
		url: input.url,
		name: input.name ?? "default",
		headers: input.headers ?? {},
		maxRunners: input.maxRunners ?? 1_000,
		minRunners: input.minRunners ?? 0,
		requestLifespan: input.requestLifespan ?? 900,
		runnersMargin: input.runnersMargin ?? 0,
		slotsPerRunner: input.slotsPerRunner ?? 1,
		metadata: input.metadata,
		metadataPollInterval: input.metadataPollInterval ?? 1_000,
		drainOnVersionUpgrade: input.drainOnVersionUpgrade ?? true,
	};
}

function withoutUndefined<T extends object>(
	values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
	const given = Object.entries(values).filter(([, value]) => value !== undefined);
	return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function withoutEndSlash(path: string): string {
	return path.length > 1 ? path.replace(/\/+$/, "") || "/" : path;
}
