import { catalogueError, DEFAULT_ENDPOINT } from "@rivetkit/protocol";
import type { Client } from "../client/types/client.types.ts";
import { configureLogging, getLogger } from "../log/base-logger.ts";
import {
	parseRegistryConfig,
	type RegistryActors,
	type RegistryConfig,
	type RegistryConfigInput,
} from "./config/registry-config.ts";
import { type Development, development, holdStarts } from "./development.ts";
import { LocalRuntime } from "./local-runtime.ts";
import type { NodeListeners, NodeListenersOptions } from "./node-listeners.ts";
import { type RemoteEngine, RemoteRuntime } from "./remote-runtime.ts";
import { plainly, printable, withoutFrames } from "./start-failure.ts";

/** A server as one function; what `registry.handler` is, and what `start()` returns as `fetch`. */
export type FetchHandler = (request: Request) => Promise<Response>;

/** What {@link Registry.serve} returns: the fetch-style default export of Bun, Deno and workers. */
export interface ServerlessHandler {
	readonly fetch: FetchHandler;
}

/** What {@link Registry.start} returns. */
export interface LegacyStartServerOutput<R> {
	/** A client without a network. */
	readonly client: Client<R>;
	/** Answers below `serverless.basePath`. */
	readonly fetch: FetchHandler;
}

/**
 * The actors of an application, and the ways to run them. Made by `setup()`. On the tick after, unless
 * `NODE_ENV` is `test`, it starts by itself and (in development) listens on `managerPort`.
 */
export class Registry<A extends RegistryActors = RegistryActors> {
	/** The input of `setup()`. Changes before the start count and are checked again then. */
	readonly config: RegistryConfigInput<A>;
	#runtime: LocalRuntime | null = null;
	#shutDown = false;
	/** With an engine elsewhere, in place of the other. */
	#remote: RemoteRuntime | null = null;
	/** It listens or tries to, and somebody is told when that fails. */
	#isReporting = false;
	/** Somebody was given a handler. */
	#isOffered = false;
	/** Somebody passes requests on. */
	#isServed = false;

	/**
	 * Throws a `ZodError` with `issues` when the configuration is invalid (contract: api 14.2); an `EnvironmentError`,
	 * whose message has a line for each, when only variables of the environment are.
	 */
	constructor(config: RegistryConfigInput<A>) {
		this.config = config;
		this.parseConfig();
		if (process.env.NODE_ENV !== "test") setImmediate(() => this.#autoStart());
	}

	/** The validated configuration: defaults and environment applied. */
	parseConfig(): RegistryConfig {
		try {
			return parseRegistryConfig(this.config, process.env);
		} catch (error) {
			throw plainly(error);
		}
	}

	/** A fetch-style server below `serverless.basePath`: the default export of Bun and Deno. */
	serve(): ServerlessHandler {
		if (this.#behindEngine() === null) this.#start();
		if (!this.#isOffered) process.once?.("beforeExit", () => this.#noteUnserved());
		this.#isOffered = true;
		return { fetch: (request) => this.handler(request) };
	}

	/**
	 * Answers one request below `serverless.basePath`: the whole local HTTP API (ruling 7). WebSockets go
	 * to the address that `/metadata` names, or to {@link nodeListeners} of the same server. With an `endpoint`: what
	 * that engine asks of a serverless host, `/start` and `/metadata`.
	 */
	handler(request: Request): Promise<Response> {
		this.#isServed = true;
		const remote = this.#behindEngine();
		if (remote) return remote.fetch(request);
		const runtime = this.#start();
		return runtime.fetch(request, runtime.config.serverless.basePath);
	}

	/**
	 * Runs the actors in this process and listens on `managerPort`; with an `endpoint`, connects to that engine
	 * as a runner instead. Idempotent.
	 */
	startRunner(): void {
		const remote = this.#behindEngine();
		if (remote) remote.startRunner();
		else this.#listen(this.#start());
	}

	/**
	 * As {@link startRunner}, and returns a client (without a network where the engine is in this process) and
	 * the handler. Idempotent.
	 */
	start(): LegacyStartServerOutput<Registry<A>> {
		const remote = this.#behindEngine();
		if (remote) {
			remote.startRunner();
			return { client: remote.client<Registry<A>>(), fetch: (request) => this.handler(request) };
		}
		const runtime = this.#start();
		this.#listen(runtime);
		return { client: runtime.client<Registry<A>>(), fetch: (request) => this.handler(request) };
	}

	/**
	 * Listens on the configured address and resolves with its URL. Rejects, with the ways out, when the
	 * port is taken or the data directory cannot be used, and with an `endpoint`: that engine listens.
	 */
	async listen(): Promise<{ readonly url: string; readonly port: number }> {
		this.#assertEngineHere("listen()");
		const runtime = this.#start();
		this.#isReporting = true;
		try {
			return await runtime.listen();
		} catch (error) {
			throw withoutFrames(error);
		}
	}

	/**
	 * Listeners for a `node:http` server of the application, that of Express or Fastify included: the whole local
	 * HTTP API and its WebSockets below `basePath` (default `serverless.basePath`), without fetch objects in
	 * between. They return false for what is elsewhere, and for the same base path are always the same.
	 *
	 * @example
	 * const rivet = registry.nodeListeners();
	 * const server = createServer((request, response) => {
	 *   if (!rivet.onRequest(request, response)) response.end("Hello");
	 * });
	 * server.on("upgrade", (request, socket, head) => {
	 *   if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
	 * });
	 */
	nodeListeners(options: NodeListenersOptions = {}): NodeListeners {
		this.#assertEngineHere("nodeListeners()");
		this.#isServed = true;
		const runtime = this.#start();
		const { basePath = runtime.config.serverless.basePath, takesUpgrades = true } = options;
		return runtime.nodeListeners(basePath, takesUpgrades);
	}

	/**
	 * For adapters that reload users' modules, before they load the first one: registries that are made in this
	 * process from now on do not start by themselves, but with {@link develop}. Idempotent.
	 *
	 * @returns whether the actors of a registry run already, in this process
	 */
	static holdStarts(): boolean {
		return holdStarts().runtime !== null;
	}

	/**
	 * For adapters that reload users' modules (`@rivetkit/vite`, `@rivetkit/next-js`): runs these actors on the
	 * one engine of this process. The first registry starts it; each later one takes the place of the one
	 * before: actors that are awake sleep and wake with the new code, with their state and their clients'
	 * sockets, while the data directory, the address and other settings stay as they were started with.
	 *
	 * Resolves when the actors have moved. Rejects when the data directory cannot be used.
	 */
	async develop(): Promise<void> {
		this.#assertEngineHere("develop()");
		const held = holdStarts();
		const taken = held.turn.then(() => this.#takeOver(held));
		held.turn = taken.catch(() => {});
		await taken;
	}

	/**
	 * Stops listening, lets every actor finish and sleep, and closes the store. Idempotent. Rejects when
	 * it takes longer than `timeout` ms (default: `shutdownTimeout` of `setup()`). Does nothing when another
	 * registry has taken this one's place ({@link develop}).
	 */
	async shutdown(options: { timeout?: number } = {}): Promise<void> {
		this.#shutDown = true;
		const runtime = this.#remote ?? this.#runtime;
		const held = development();
		const isHeld = held !== null && held.runtime === runtime;
		if (!runtime || (isHeld && held.current !== this)) return;
		const limitMs = options.timeout ?? runtime.config.shutdownTimeout;
		let timer: ReturnType<typeof setTimeout> | undefined;
		const expired = new Promise<never>((_resolve, reject) => {
			const message = `Shutdown did not finish within ${limitMs} ms; not saved: ${runtime.unsaved().join(", ") || "nothing"}`;
			timer = setTimeout(() => reject(new Error(message)), limitMs);
		});
		try {
			await Promise.race([runtime.shutdown(), expired]);
		} finally {
			clearTimeout(timer);
			if (isHeld) forget(held);
		}
	}

	#start(): LocalRuntime {
		this.#assertNotShutDown();
		if (!this.#runtime) {
			const held = development();
			this.#runtime = held?.runtime ?? this.#create();
			if (held) {
				held.runtime = this.#runtime;
				held.current ??= this;
			}
		}
		return this.#runtime;
	}

	#create(): LocalRuntime {
		const config = this.parseConfig();
		configureLogging(config.logging);
		return new LocalRuntime(config, getLogger());
	}

	/** The runtime behind an engine elsewhere; null when there is none in the configuration. */
	#behindEngine(): RemoteRuntime | null {
		this.#assertNotShutDown();
		if (this.#remote || this.#runtime) return this.#remote;
		const config = this.parseConfig();
		const engine = remoteEngine(config);
		if (engine === null) return null;
		configureLogging(config.logging);
		this.#remote = new RemoteRuntime(config, engine, getLogger());
		return this.#remote;
	}

	#assertEngineHere(what: string): void {
		if (this.#runtime || remoteEngine(this.parseConfig()) === null) return;
		throw catalogueError("feature.unsupported", {
			feature: `${what} with an endpoint (setup({ endpoint }) or RIVET_ENDPOINT), where the engine takes the calls (use startRunner())`,
		});
	}

	#assertNotShutDown(): void {
		if (!this.#shutDown) return;
		throw catalogueError("actor.internal_error", { message: "The registry was shut down" });
	}

	async #takeOver(held: Development): Promise<void> {
		// It may have started before starts were held.
		if (held.runtime === null && this.#runtime) {
			held.runtime = this.#runtime;
			held.current = this;
		}
		const runtime = this.#start();
		try {
			await runtime.ready();
		} catch (error) {
			// The next reload tries again.
			forget(held);
			this.#runtime = null;
			throw withoutFrames(error);
		}
		if (held.current === this) return;
		const config = this.parseConfig();
		held.current = this;
		await runtime.replaceCode(config);
	}

	#autoStart(): void {
		if (this.#shutDown || development() !== null) return;
		const config = this.parseConfig();
		// Nothing is served in production unless asked for (contract: api 14.1, serveManager).
		if (remoteEngine(config) !== null || !config.serveManager) return;
		this.#listen(this.#start());
	}

	/** The process is about to end by itself, because what `serve()` returned was given to nobody. */
	#noteUnserved(): void {
		if (this.#isServed || this.#isReporting || this.#shutDown) return;
		getLogger().warn(
			"the process ends: registry.serve() only returns a handler, and nothing listens. Run the file with a runtime that serves its default export (bun, deno serve), pass registry.handler to a server, or listen with registry.listen() or registry.startRunner()",
		);
	}

	/** Nobody waits for this promise: what goes wrong is told in words, once, and in the exit code. */
	#listen(runtime: LocalRuntime): void {
		if (this.#isReporting) return;
		this.#isReporting = true;
		runtime.listen().catch((error: unknown) => {
			process.exitCode = 1;
			console.error(printable(error));
		});
	}
}

function forget(held: Development): void {
	held.runtime = null;
	held.current = null;
}

/** The engine elsewhere that is asked for; null when the actors run on the one in this process. */
function remoteEngine({ endpoint, namespace, token, driver }: RegistryConfig): RemoteEngine | null {
	if (endpoint === undefined && driver?.name !== "engine") return null;
	return { endpoint: endpoint ?? DEFAULT_ENDPOINT, namespace, token };
}

/**
 * Puts actors together under their names. Throws a `ZodError` for an invalid configuration, an `EnvironmentError` for
 * variables of the environment that cannot be used; both have `issues`.
 *
 * @example
 * export const registry = setup({ use: { counter } });
 */
export function setup<A extends RegistryActors>(config: RegistryConfigInput<A>): Registry<A> {
	return new Registry(config);
}
