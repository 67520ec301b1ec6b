import type { AnyActorDefinition } from "../../actor/definition.ts";
import type { DriverConfig } from "../../backends/driver.ts";
import type {
	EngineLimits,
	NodeOptions,
	PostgresSettings,
} from "../../backends/embedded/engine.ts";
import type { LogLevel } from "../../log/levels.ts";
import type { Logger } from "../../log/logger.ts";

/** Actor definitions by name; a name has at most 64 characters. */
export type RegistryActors = Record<string, AnyActorDefinition>;

/** How an engine starts serverless runs of this application (api 14.1). */
export interface RunnerPoolConfigInput {
	/** Where the engine reaches the application. */
	url: string;
	/** Default `"default"`. */
	name?: string | undefined;
	headers?: Record<string, string> | undefined;
	/** Default 1000. */
	maxRunners?: number | undefined;
	/** Default 0. */
	minRunners?: number | undefined;
	/** Seconds. Default 900. */
	requestLifespan?: number | undefined;
	/** Default 0. */
	runnersMargin?: number | undefined;
	/** Default 1. */
	slotsPerRunner?: number | undefined;
	metadata?: Record<string, unknown> | undefined;
	/** Milliseconds. Default 1000. */
	metadataPollInterval?: number | undefined;
	/** Default true. */
	drainOnVersionUpgrade?: boolean | undefined;
}

/** Which database server everything is kept in. */
export interface DatabaseConfigInput {
	postgres?:
		| {
				/**
				 * `postgres://user:password@host:5432/database`, of PostgreSQL 14 or newer itself, not of a pooler. Env
				 * `RIVET__DATABASE__POSTGRES__URL`.
				 */
				url: string;
				/** Files (PEM) for TLS; with a root certificate the server's is checked. Env `RIVET__DATABASE__POSTGRES__SSL__…`. */
				ssl?:
					| {
							rootCertPath?: string | undefined;
							clientCertPath?: string | undefined;
							clientKeyPath?: string | undefined;
					  }
					| undefined;
		  }
		| undefined;
}

/** A process among others; see docs/postgresql.md. */
export interface NodeConfigInput {
	/** Address on which other nodes connect. Env `RIVET__NODE__HOST`; default 127.0.0.1: nodes on this machine only. */
	host?: string | undefined;
	/** Its port. Env `RIVET__NODE__PORT`; default: a free one. */
	port?: number | undefined;
	/** `host:port` under which the others reach it. Env `RIVET__NODE__ADDRESS`; default: from `host` and `port`. */
	address?: string | undefined;
	/** Name in logs. Env `RIVET__NODE__NAME`; default: machine and process. */
	name?: string | undefined;
	/**
	 * How long (ms) a node may be silent before the others take over its actors. Env `RIVET__NODE__LEASE_MS`; default
	 * 10,000, at least 1,000.
	 */
	leaseMs?: number | undefined;
}

export interface DatabaseConfig {
	readonly postgres: PostgresSettings;
}

/** What `setup()` takes. Explicit values win over the environment's (api 14.1). */
export interface RegistryConfigInput<A extends RegistryActors = RegistryActors> {
	/** The actors. */
	use: A;
	/** An explicit backend; an error together with `endpoint`. */
	driver?: DriverConfig | undefined;
	/**
	 * Keeps everything in a database server instead of a directory of this machine; see docs/postgresql.md. An
	 * error together with `driver` or `endpoint`.
	 */
	database?: DatabaseConfigInput | undefined;
	/** How this process is one of several on a `database`. */
	node?: NodeConfigInput | undefined;
	/** Local storage directory. Env `RIVETKIT_STORAGE_PATH`; default `.rivetkit`. */
	storagePath?: string | undefined;
	/** Bytes of one action, queue or WebSocket message in. Default 65,536. */
	maxIncomingMessageSize?: number | undefined;
	/** Bytes of one response or event out. Default 1,048,576. */
	maxOutgoingMessageSize?: number | undefined;
	/**
	 * Databases of actors that are kept open at the same time, with about five file descriptors and up to
	 * 2 MiB of memory each; others are closed while nobody uses them. Default 128.
	 */
	maxOpenDatabases?: number | undefined;
	/**
	 * Sizes, counts and times of the embedded engine's HTTP and WebSocket front, such as
	 * `{ httpBodyBytesMax: 1024 ** 3 }`. What is left out keeps its default (lifecycle 21, protocol 2.7).
	 */
	limits?: { [Name in keyof EngineLimits]?: EngineLimits[Name] | undefined } | undefined;
	/** Prints no banner. Default false. */
	noWelcome?: boolean | undefined;
	logging?:
		| {
				/** Env `RIVET_LOG_LEVEL`, `LOG_LEVEL`; default `"warn"`. */
				level?: LogLevel | undefined;
				/** A logger of the application, such as a pino instance. */
				baseLogger?: Logger | undefined;
		  }
		| undefined;
	/** Engine URL, may carry `namespace:token@`. Env `RIVET_ENGINE`, `RIVET_ENDPOINT`. */
	endpoint?: string | undefined;
	/** Env `RIVET_TOKEN`. */
	token?: string | undefined;
	/** Env `RIVET_NAMESPACE`; default `"default"`. */
	namespace?: string | undefined;
	/** Sent to the engine. */
	headers?: Record<string, string> | undefined;
	/** Runs the local HTTP API in this process. Default: outside production, without an endpoint. */
	serveManager?: boolean | undefined;
	/** Default `"/"`. */
	managerBasePath?: string | undefined;
	/** 0 takes a free port. Default 6420. */
	managerPort?: number | undefined;
	/** Default: the loopback addresses of the embedded engine. */
	managerHost?: string | undefined;
	inspector?:
		| {
				/** Default true, unless `RIVET_INSPECTOR_DISABLE=1`. */
				enabled?: boolean | undefined;
				/** Default: `RIVET_INSPECTOR_TOKEN`, read at each call. */
				token?: (() => string) | undefined;
				/** Only for the printed URL. */
				defaultEndpoint?: string | undefined;
		  }
		| undefined;
	/** The web page at `/ui`, which reads and changes actors through the inspector. */
	dashboard?:
		| {
				/** Default: `inspector.enabled`, unless `RIVET_DASHBOARD_DISABLE=1`. */
				enabled?: boolean | undefined;
		  }
		| undefined;
	/** Spans of what actors do, for the inspector and for OpenTelemetry (lifecycle 19). */
	traces?:
		| {
				/** Env `RIVET_EXPERIMENTAL_OTEL=1`; default: outside production. */
				enabled?: boolean | undefined;
				/**
				 * Traces that all actors of the process begin in a second; what is beyond is left out, and counted.
				 * Default 100.
				 */
				maxPerSecond?: number | undefined;
				/** Spans kept of one actor. Default 512. */
				maxSpans?: number | undefined;
				/** Bytes of the spans kept of one actor. Default 262,144. */
				maxBytes?: number | undefined;
				/** Bytes of all that is kept of all actors of the process. Default 16 MiB. */
				maxTotalBytes?: number | undefined;
				/** Milliseconds for which spans are shown after their end. Default 604,800,000 (7 days). */
				maxAge?: number | undefined;
				/** Whether spans are stored with their actor, and are there after a restart. Default true. */
				store?: boolean | undefined;
		  }
		| undefined;
	/** Counts and durations by type of actor, at `/metrics`. */
	metrics?:
		| {
				/** Default true. */
				enabled?: boolean | undefined;
		  }
		| undefined;
	serverless?:
		| {
				/** Env `RIVET_RUN_ENGINE=1`; default false. */
				spawnEngine?: boolean | undefined;
				/** Env `RIVET_RUN_ENGINE_VERSION`; default: the version of this package. */
				engineVersion?: string | undefined;
				configureRunnerPool?: RunnerPoolConfigInput | undefined;
				/** Default `"/api/rivet"`. */
				basePath?: string | undefined;
				/** Where browsers connect, may carry `namespace:token@`. Env `RIVET_PUBLIC_ENDPOINT`. */
				publicEndpoint?: string | undefined;
				/** Env `RIVET_PUBLIC_TOKEN`. */
				publicToken?: string | undefined;
		  }
		| undefined;
	runner?:
		| {
				/** Actors this process may run at once. Env `RIVET_TOTAL_SLOTS`; default 100,000. */
				totalSlots?: number | undefined;
				/** Env `RIVET_RUNNER`, `RIVET_POOL`; default `"default"`. */
				runnerName?: string | undefined;
				/** Env `RIVET_RUNNER_KEY`; default random. */
				runnerKey?: string | undefined;
				/** Actors move to higher versions. Env `RIVET_RUNNER_VERSION`; default 1. */
				version?: number | undefined;
		  }
		| undefined;
	/** Lets all actors sleep on SIGTERM and SIGINT (lifecycle W-SHUT-1). Default true. */
	handleSignals?: boolean | undefined;
	/** How long a shutdown may take (ms; lifecycle W-SHUT-1). Default 15,000. */
	shutdownTimeout?: number | undefined;
	/** Set by `setupTest`. */
	test?: { enabled?: boolean | undefined } | undefined;
}

/** The configuration as the system reads it: checked, defaults and environment applied. */
export interface RegistryConfig {
	readonly use: RegistryActors;
	readonly driver: DriverConfig | undefined;
	/** Undefined: a store of this machine. */
	readonly database: DatabaseConfig | undefined;
	readonly node: NodeOptions;
	readonly storagePath: string | undefined;
	readonly maxIncomingMessageSize: number;
	readonly maxOutgoingMessageSize: number;
	readonly maxOpenDatabases: number;
	/** Those that were set. */
	readonly limits: Partial<EngineLimits>;
	readonly noWelcome: boolean;
	readonly logging: {
		readonly level: LogLevel | undefined;
		readonly baseLogger: Logger | undefined;
	};
	/** Without credentials; undefined when no engine is configured. */
	readonly endpoint: string | undefined;
	readonly token: string | undefined;
	readonly namespace: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly serveManager: boolean;
	/** Starts with a slash and ends with none, but for `"/"`. */
	readonly managerBasePath: string;
	readonly managerPort: number;
	readonly managerHost: string | undefined;
	readonly inspector: {
		readonly enabled: boolean;
		token(): string;
		readonly defaultEndpoint: string | undefined;
	};
	readonly dashboard: { readonly enabled: boolean };
	/** Null: no spans are recorded. */
	readonly traces: {
		readonly maxPerSecond: number;
		readonly maxSpans: number;
		readonly maxBytes: number;
		readonly maxTotalBytes: number;
		readonly maxAge: number;
		readonly store: boolean;
	} | null;
	readonly metrics: { readonly enabled: boolean };
	readonly serverless: {
		readonly spawnEngine: boolean;
		readonly engineVersion: string;
		readonly configureRunnerPool: RunnerPoolConfig | undefined;
		/** Starts with a slash and ends with none, but for `"/"`. */
		readonly basePath: string;
		/** Without credentials; undefined when clients use the local API. */
		readonly publicEndpoint: string | undefined;
		/** Set when `publicEndpoint` is. */
		readonly publicNamespace: string | undefined;
		readonly publicToken: string | undefined;
	};
	readonly runner: {
		readonly totalSlots: number;
		readonly runnerName: string;
		/** Undefined: whoever connects makes one. */
		readonly runnerKey: string | undefined;
		readonly version: number;
	};
	readonly handleSignals: boolean;
	readonly shutdownTimeout: number;
	readonly test: TestConfig;
	/** What is legal but probably not meant, one sentence each. */
	readonly warnings: readonly string[];
}

/** What `setupTest` sets. */
export interface TestConfig {
	readonly enabled: boolean;
}

type Filled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** A runner pool with its defaults. */
export interface RunnerPoolConfig
	extends Filled<Omit<RunnerPoolConfigInput, "headers" | "metadata">> {
	readonly headers: Readonly<Record<string, string>>;
	readonly metadata: Readonly<Record<string, unknown>> | undefined;
}
