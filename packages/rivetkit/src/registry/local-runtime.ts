import { dashboardFolder } from "@rivetkit/dashboard";
import { isLoopbackHost, type RunnerKind, systemClock, systemRandom } from "@rivetkit/protocol";
import { type Embedded, inProcessClient, startEmbedded } from "../backends/embedded/embedded.ts";
import {
	alreadyServed,
	type ListeningServer,
	type ListenOptions,
	StoreError,
	type Whereabouts,
} from "../backends/embedded/engine.ts";
import { openStoreFor } from "../backends/embedded/open-store.ts";
import type { Client } from "../client/types/client.types.ts";
import type { Logger } from "../log/logger.ts";
import { VERSION } from "../utils/version.ts";
import { printBanner } from "./banner.ts";
import { isDevelopment } from "./config/environment.ts";
import type { RegistryConfig } from "./config/registry-config.ts";
import { definitionsOf } from "./definitions.ts";
import { type NodeListeners, nodeListeners } from "./node-listeners.ts";
import { type Guarded, guardProcess } from "./process-guard.ts";
import { serverMetadata } from "./server-metadata.ts";

/**
 * The actors of one registry in this process, on the embedded engine: opens the store, starts engine and
 * host, and (when asked to) listens on an address of its own.
 */
export class LocalRuntime implements Guarded {
	/** What it was started with; the actors may be those of a later one ({@link replaceCode}). */
	readonly config: RegistryConfig;
	readonly #log: Logger;
	readonly #embedded: Promise<Embedded>;
	#started: Embedded | null = null;
	readonly #mounts = new Map<string, NodeListeners>();
	/** A server of the application hands its WebSockets over. */
	#takesUpgrades = false;
	#dataDirectory: string | null = null;
	#server: ListeningServer | null = null;
	#listening: Promise<ListeningServer> | null = null;
	#unguard: (() => void) | null = null;
	#closed: Promise<void> | null = null;

	constructor(config: RegistryConfig, log: Logger) {
		this.config = config;
		this.#log = log;
		this.#embedded = this.#start();
		// Whoever uses the runtime gets the error; nobody using it must not end the process.
		this.#embedded.catch(() => {});
		if (config.handleSignals) this.#unguard = guardProcess(this);
	}

	async #start(): Promise<Embedded> {
		const config = this.config;
		const { store, dataDirectory, node } = await openStoreFor({ ...config, log: this.#log });
		this.#dataDirectory = dataDirectory;
		const embedded = startEmbedded({
			store,
			...(node === null ? undefined : { node }),
			definitions: definitionsOf(config.use),
			clock: node?.clock ?? systemClock(),
			random: systemRandom(),
			log: this.#log,
			messageLimits: config,
			maxOpenDatabases: config.maxOpenDatabases,
			engineLimits: config.limits,
			version: VERSION,
			codeVersion: config.runner.version,
			checksReplays: isDevelopment(process.env),
			namespace: config.namespace,
			...(config.token === undefined ? undefined : { token: config.token }),
			...(dataDirectory === null ? undefined : { dataDirectory }),
			metadata: (caller) => serverMetadata(config, this.#urlFor(caller), kindFor(caller)),
			pagesFolder: config.dashboard.enabled ? dashboardFolder : null,
			telemetry: { traces: config.traces, metrics: config.metrics.enabled },
			inspection: { ...config.inspector, isOpen: () => isOpenToLoopback(config) },
			exposeErrors,
			publicUrl: () => this.localUrl ?? this.#plannedUrl(),
		});
		this.#started = embedded;
		try {
			await embedded.engine.joined;
		} catch (error) {
			await embedded.close();
			throw error;
		}
		return embedded;
	}

	/** Where this process listens, with base path; null while it does not. */
	get localUrl(): string | null {
		return this.#server?.url ?? null;
	}

	/** Resolves when the actors can be called. Rejects with a `StoreError`, or with who has the data directory. */
	async ready(): Promise<void> {
		await this.#embeddedOrHolder();
	}

	/**
	 * Listens on the configured address. Idempotent; tries again when it could not before. Rejects with a
	 * `ListenError` or a `StoreError`.
	 */
	listen(): Promise<ListeningServer> {
		this.#listening ??= this.#listen().catch((error: unknown) => {
			this.#listening = null;
			throw error;
		});
		return this.#listening;
	}

	async #listen(): Promise<ListeningServer> {
		const { engine } = await this.#embeddedOrHolder();
		this.#server = await engine.listen(this.#address);
		if (!this.config.noWelcome) printBanner(this.config, this.#server.url, this.#dataDirectory);
		return this.#server;
	}

	/**
	 * Listeners for a `node:http` server that belongs to somebody else. One pair per base path. Where it takes
	 * upgrades callers have an address for their sockets, so `/metadata` names no other.
	 */
	nodeListeners(basePath: string, takesUpgrades: boolean): NodeListeners {
		this.#takesUpgrades ||= takesUpgrades;
		let mount = this.#mounts.get(basePath);
		if (mount === undefined) {
			const engine = this.#embedded.then((embedded) => embedded.engine);
			mount = nodeListeners(engine, basePath, this.#log);
			this.#mounts.set(basePath, mount);
		}
		return mount;
	}

	/** See {@link Embedded.replaceCode}. What else of the configuration changed counts from the next start. */
	async replaceCode(config: RegistryConfig): Promise<void> {
		const embedded = await this.#embedded;
		const changed = fixedSettings.filter(
			(name) => JSON.stringify(config[name]) !== JSON.stringify(this.config[name]),
		);
		if (changed.length > 0) {
			this.#log.warn(
				{ settings: changed },
				"settings of setup() that were changed count from the next start of this process",
			);
		}
		await embedded.replaceCode({
			definitions: definitionsOf(config.use),
			codeVersion: config.runner.version,
		});
	}

	async fetch(request: Request, basePath: string): Promise<Response> {
		const { engine } = await this.#embedded;
		return engine.fetch(request, { basePath });
	}

	/** A client without a network; its first calls wait for the start. */
	client<R>(): Client<R> {
		const engine = this.#embedded.then((embedded) => embedded.engine);
		// Calls report a failed start; a client that is never used does not.
		engine.catch(() => {});
		return inProcessClient<R>(engine, null, {
			clock: systemClock(),
			random: systemRandom(),
			log: this.#log,
			publicUrl: () => this.localUrl ?? this.#plannedUrl(),
			exposeErrors,
		});
	}

	async flush(): Promise<void> {
		const { host } = await this.#embedded;
		await host.flush();
	}

	unsaved(): string[] {
		return this.#started?.host.unsaved ?? [];
	}

	shutdown(): Promise<void> {
		this.#closed ??= this.#embedded
			.then(
				async (embedded) => {
					// A server that is about to listen would be left open behind us.
					await this.#listening?.catch(() => {});
					await embedded.close();
				},
				// It never started: there is nothing to stop, and its error has been reported.
				() => {},
			)
			.finally(() => this.#unguard?.());
		return this.#closed;
	}

	/**
	 * The address to send a caller of `/metadata` to. Who called it there has one that works, perhaps another
	 * than ours (a proxy, a name in the network); only in development, on this machine, ours is as good. Behind a
	 * server of the user's it is the one that takes sockets (ruling 7).
	 */
	#urlFor(caller: Whereabouts): string | null {
		if (caller === "unknown") return this.localUrl;
		if (this.#takesUpgrades) return null;
		return caller === "this machine" && isDevelopment(process.env) ? this.localUrl : null;
	}

	#embeddedOrHolder(): Promise<Embedded> {
		return this.#embedded.catch(async (error: unknown) => {
			throw (await secondStart(error, this.#address)) ?? error;
		});
	}

	get #address(): ListenOptions {
		const { managerHost, managerPort, managerBasePath, serverless } = this.config;
		return {
			...(managerHost === undefined ? undefined : { host: managerHost }),
			port: managerPort,
			basePath: managerBasePath,
			// Where other servers have it by default, so that one address fits all.
			...(managerBasePath === "/" ? { aliasPath: serverless.basePath } : undefined),
			portSetting: "setup({ managerPort })",
			hostSetting: "setup({ managerHost })",
		};
	}

	#plannedUrl(): string {
		const { managerPort, managerBasePath } = this.config;
		const base = managerBasePath === "/" ? "" : managerBasePath;
		return `http://127.0.0.1:${managerPort}${base}`;
	}
}

/** Callers without an address come through `handler()` (protocol 5.1). */
function kindFor(caller: Whereabouts): RunnerKind {
	return caller === "unknown" ? { serverless: {} } : { normal: {} };
}

/** What the running engine was made with; functions are not compared. */
const fixedSettings = [
	"storagePath",
	"driver",
	"database",
	"node",
	"namespace",
	"token",
	"managerPort",
	"managerHost",
	"managerBasePath",
	"limits",
	"maxIncomingMessageSize",
	"maxOutgoingMessageSize",
	"maxOpenDatabases",
	"inspector",
	"dashboard",
	"traces",
	"metrics",
] as const satisfies readonly (keyof RegistryConfig)[];

/** A program that was started twice is told where the first one serves, rather than of a lock. */
async function secondStart(error: unknown, address: ListenOptions): Promise<Error | null> {
	const isInUse = error instanceof StoreError && error.code === "locked";
	return isInUse ? alreadyServed(error.path, address) : null;
}

/** Ruling 13: without a token only what nobody else can reach, and not in production. */
function isOpenToLoopback({ managerHost }: RegistryConfig): boolean {
	if (process.env.NODE_ENV === "production") return false;
	return managerHost === undefined || isLoopbackHost(managerHost);
}

/** Contract: protocol 6.1; asked per error. */
export function exposeErrors(): boolean {
	const { NODE_ENV, RIVET_EXPOSE_ERRORS } = process.env;
	return NODE_ENV === "development" || RIVET_EXPOSE_ERRORS === "1";
}
