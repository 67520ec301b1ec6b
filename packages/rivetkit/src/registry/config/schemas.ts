import { z } from "zod";
import type { DriverConfig } from "../../backends/driver.ts";
import { DEFAULT_LIMITS } from "../../backends/embedded/engine.ts";
import { describeValue } from "../../config/config-error.ts";
import { LOG_LEVELS, LogLevelSchema } from "../../log/levels.ts";
import type { Logger } from "../../log/logger.ts";
import type { RegistryActors } from "./registry-config.types.ts";

/** Characters of an actor's name (api 2). */
export const ACTOR_NAME_LENGTH_MAX = 64;

/** Slots and versions of a runner are sent in 32 bits (contract: engine 4.3). */
export const U32_MAX = 0xffff_ffff;

const text = z.string().min(1, "expected a text that is not empty");
const headers = z.record(z.string(), z.string());
const positive = z.number().positive();
const count = z.int().min(0);
const path = z.string().regex(/^\//, 'expected a path that starts with "/"');

const actorDefinition = z.custom<RegistryActors[string]>(isDefinition, {
	error: ({ input }) =>
		`expected an actor definition, found ${describeValue(input)}; write actor({ … })`,
});

/** `use`: definitions by name. */
export const ActorsSchema = z
	.record(z.string(), actorDefinition, {
		error: ({ input }) =>
			`expected an object of actor definitions, found ${describeValue(input)}, for example use: { counter }`,
	})
	.superRefine((actors, context) => {
		for (const name of Object.keys(actors)) {
			if (name.length > 0 && name.length <= ACTOR_NAME_LENGTH_MAX) continue;
			context.addIssue({
				code: "custom",
				path: [name],
				message: `the name of an actor has 1 to ${ACTOR_NAME_LENGTH_MAX} characters, this one has ${name.length}`,
			});
		}
	});

/** `driver`: made by `createMemoryDriver()` and the like. */
export const DriverConfigSchema = z.custom<DriverConfig>(
	(value) =>
		typeof value === "object" && value !== null && typeof (value as DriverConfig).name === "string",
	{
		error: ({ input }) =>
			`expected a driver, found ${describeValue(input)}; write createFileSystemDriver() or createMemoryDriver()`,
	},
);

/** Every limit of the engine by its name; a number of at least 0. */
const LimitsSchema = z.object(
	Object.fromEntries(
		Object.entries(DEFAULT_LIMITS).map(([name, value]) => [
			name,
			z.number().min(0).optional().describe(`Default ${value}.`),
		]),
	),
);

export const TestConfigSchema = z.object({ enabled: z.boolean().optional() });

const LOGGER_METHODS: readonly (keyof Logger)[] = [
	...LOG_LEVELS.filter((level) => level !== "silent"),
	"isLevelEnabled",
	"child",
];

function missingOf(logger: unknown): string[] {
	const has = Object(logger) as Record<string, unknown>;
	return LOGGER_METHODS.filter((name) => typeof has[name] !== "function");
}

const LoggingSchema = z.object({
	level: LogLevelSchema.optional(),
	baseLogger: z
		.custom<Logger>((value) => missingOf(value).length === 0, {
			error: ({ input }) =>
				`expected a pino-style logger; this one has no ${missingOf(input).join(", ")}`,
		})
		.optional(),
});

const DatabaseConfigSchema = z.object({
	postgres: z
		.object({
			url: z
				.string()
				.regex(/^postgres(ql)?:\/\//, "expected postgres://user:password@host:5432/database")
				.describe("Env RIVET__DATABASE__POSTGRES__URL."),
			ssl: z
				.object({
					rootCertPath: text.optional(),
					clientCertPath: text.optional(),
					clientKeyPath: text.optional(),
				})
				.optional()
				.describe("Files (PEM). Env RIVET__DATABASE__POSTGRES__SSL__ROOT_CERT_PATH and so on."),
		})
		.optional(),
});

const NodeConfigSchema = z.object({
	host: text.optional().describe("Env RIVET__NODE__HOST; default 127.0.0.1."),
	port: z.int().min(0).max(65_535).optional().describe("Env RIVET__NODE__PORT; default: free."),
	address: text.optional().describe("host:port for others. Env RIVET__NODE__ADDRESS."),
	name: text.optional().describe("Env RIVET__NODE__NAME."),
	leaseMs: z.number().min(1_000).optional().describe("Env RIVET__NODE__LEASE_MS; default 10000."),
});

export const DocInspectorConfigSchema = z.object({
	enabled: z.boolean().optional().describe("Default true, unless RIVET_INSPECTOR_DISABLE=1."),
	token: z
		.custom<() => string>((value) => typeof value === "function", {
			error: ({ input }) =>
				`expected a function that returns the token, found ${describeValue(input)}, for example token: () => secret`,
		})
		.optional()
		.describe("Default: RIVET_INSPECTOR_TOKEN, read at each call."),
	defaultEndpoint: text.optional().describe("Only for the printed URL."),
});

const DashboardConfigSchema = z.object({
	enabled: z
		.boolean()
		.optional()
		.describe("Default: as the inspector, unless RIVET_DASHBOARD_DISABLE=1."),
});

const DocTracesConfigSchema = z.object({
	enabled: z
		.boolean()
		.optional()
		.describe("Env RIVET_EXPERIMENTAL_OTEL=1; default: outside production."),
	maxPerSecond: z
		.int()
		.min(1)
		.optional()
		.describe("Traces that all actors begin in a second. Default 100."),
	maxSpans: z.int().min(1).optional().describe("Of one actor. Default 512."),
	maxBytes: positive.optional().describe("Of one actor. Default 262144."),
	maxTotalBytes: positive.optional().describe("Of all actors. Default 16777216."),
	maxAge: positive.optional().describe("Milliseconds after their end. Default 604800000."),
	store: z
		.boolean()
		.optional()
		.describe("Whether spans are stored with their actor. Default true."),
});

export const DocConfigureRunnerPoolSchema = z.object({
	url: z.url().describe("Where the engine reaches the application."),
	name: text.optional().describe('Default "default".'),
	headers: headers.optional(),
	maxRunners: count.optional().describe("Default 1000."),
	minRunners: count.optional().describe("Default 0."),
	requestLifespan: positive.optional().describe("Seconds. Default 900."),
	runnersMargin: count.optional().describe("Default 0."),
	slotsPerRunner: positive.optional().describe("Default 1."),
	metadata: z.record(z.string(), z.unknown()).optional(),
	metadataPollInterval: positive.optional().describe("Milliseconds. Default 1000."),
	drainOnVersionUpgrade: z.boolean().optional().describe("Default true."),
});

export const DocServerlessConfigSchema = z.object({
	spawnEngine: z.boolean().optional().describe("Env RIVET_RUN_ENGINE=1; default false."),
	engineVersion: text.optional().describe("Env RIVET_RUN_ENGINE_VERSION."),
	configureRunnerPool: DocConfigureRunnerPoolSchema.optional(),
	basePath: path.optional().describe('Default "/api/rivet".'),
	publicEndpoint: z.string().optional().describe("Env RIVET_PUBLIC_ENDPOINT."),
	publicToken: z.string().optional().describe("Env RIVET_PUBLIC_TOKEN."),
});

export const DocRunnerConfigSchema = z.object({
	totalSlots: z
		.int()
		.min(1)
		.max(U32_MAX)
		.optional()
		.describe("Env RIVET_TOTAL_SLOTS; default 100000."),
	runnerName: text.optional().describe('Env RIVET_RUNNER, RIVET_POOL; default "default".'),
	runnerKey: text.optional().describe("Env RIVET_RUNNER_KEY; default random."),
	version: count.max(U32_MAX).optional().describe("Env RIVET_RUNNER_VERSION; default 1."),
});

/** The whole of what `setup()` takes, as documentation and as the first check. */
export const DocRegistryConfigSchema = z.object({
	use: ActorsSchema.describe("Actor definitions by name."),
	driver: DriverConfigSchema.optional().describe("An explicit backend."),
	database: DatabaseConfigSchema.optional().describe(
		"A database server instead of a directory of this machine.",
	),
	node: NodeConfigSchema.optional().describe("This process among others on a database."),
	storagePath: text.optional().describe('Env RIVETKIT_STORAGE_PATH; default ".rivetkit".'),
	maxIncomingMessageSize: positive.optional().describe("Bytes. Default 65536."),
	maxOutgoingMessageSize: positive.optional().describe("Bytes. Default 1048576."),
	maxOpenDatabases: positive.optional().describe("Databases kept open. Default 128."),
	limits: LimitsSchema.optional().describe(
		"Sizes, counts and times of the embedded engine's front.",
	),
	noWelcome: z.boolean().optional().describe("Prints no banner. Default false."),
	logging: LoggingSchema.optional(),
	endpoint: z.string().optional().describe("Env RIVET_ENGINE, RIVET_ENDPOINT."),
	token: z.string().optional().describe("Env RIVET_TOKEN."),
	namespace: z.string().optional().describe('Env RIVET_NAMESPACE; default "default".'),
	headers: headers.optional().describe("Sent to the engine."),
	serveManager: z.boolean().optional().describe("Runs the local HTTP API in this process."),
	managerBasePath: path.optional().describe('Default "/".'),
	managerPort: z.int().min(0).max(65_535).optional().describe("Default 6420; 0 takes a free port."),
	managerHost: text.optional(),
	inspector: DocInspectorConfigSchema.optional(),
	dashboard: DashboardConfigSchema.optional(),
	traces: DocTracesConfigSchema.optional().describe("Spans of what actors do."),
	metrics: z
		.object({ enabled: z.boolean().optional().describe("Default true.") })
		.optional()
		.describe("Counts and durations by type of actor, at /metrics."),
	serverless: DocServerlessConfigSchema.optional(),
	runner: DocRunnerConfigSchema.optional(),
	handleSignals: z.boolean().optional().describe("Default true."),
	shutdownTimeout: positive.optional().describe("Milliseconds. Default 15000."),
	test: TestConfigSchema.optional(),
});

/** Structural, so that definitions of another copy of the package are welcome. */
function isDefinition(value: unknown): boolean {
	if (typeof value !== "object" || value === null) return false;
	const { config } = value as { config?: { options?: unknown } };
	return typeof config === "object" && config !== null && typeof config.options === "object";
}
