import {
	catalogueError,
	ENGINE_TOKEN_ALPHABET,
	isEngineToken,
	systemClock,
	systemRandom,
	toWireError,
} from "@rivetkit/protocol";
import { type RunningRunner, startRunner } from "../backends/runner/start-runner.ts";
import { createHttpClient } from "../client/create-client.ts";
import type { Client } from "../client/types/client.types.ts";
import { configError } from "../config/config-error.ts";
import type { Logger } from "../log/logger.ts";
import { VERSION } from "../utils/version.ts";
import { isDevelopment } from "./config/environment.ts";
import type { RegistryConfig } from "./config/registry-config.ts";
import { definitionsOf } from "./definitions.ts";
import { exposeErrors } from "./local-runtime.ts";
import { type Guarded, guardProcess } from "./process-guard.ts";
import { PoolConfigurer } from "./serverless/pool-configurer.ts";
import { ServerlessHandler } from "./serverless/serverless-handler.ts";
import { plainly } from "./start-failure.ts";

/** The engine elsewhere that a registry is configured with. */
export interface RemoteEngine {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
}

/** The actors of one registry in this process, placed here by an engine elsewhere. */
export class RemoteRuntime implements Guarded {
	readonly config: RegistryConfig;
	readonly #engine: RemoteEngine;
	readonly #log: Logger;
	/** The one of {@link startRunner}, and those of serverless starts. */
	readonly #runners = new Set<RunningRunner>();
	readonly #serverless: ServerlessHandler;
	/** Made with the first request: only then is this a serverless host. */
	#poolConfigurer: PoolConfigurer | null = null;
	#hasStarted = false;
	#unguard: (() => void) | null = null;
	#closed: Promise<void> | null = null;

	constructor(config: RegistryConfig, engine: RemoteEngine, log: Logger) {
		this.config = config;
		this.#engine = engine;
		this.#log = log;
		this.#serverless = new ServerlessHandler({
			config,
			engine,
			startRunner: ({ endpoint, namespace, token, runnerName, totalSlots }) =>
				this.#start({
					// What an engine hands over may be good for runners only, not for calls between actors.
					engine: { endpoint, namespace, token: engine.token ?? token },
					runnerName,
					// Each request is a runner of its own.
					runnerKey: undefined,
					totalSlots,
				}),
		});
		if (config.handleSignals) this.#unguard = guardProcess(this);
	}

	/** Connects as a runner of the configured pool. Idempotent. Throws as `setup()` for a token that no runner can send. */
	startRunner(): void {
		if (this.#hasStarted) return;
		if (this.#closed) {
			throw catalogueError("actor.internal_error", { message: "The registry was shut down" });
		}
		this.#start({ ...this.config.runner, engine: this.#engine });
		this.#hasStarted = true;
	}

	/** The routes of a serverless host; 503 once it shuts down, so that the engine starts its actors elsewhere. */
	async fetch(request: Request): Promise<Response> {
		if (this.#closed) return refusal();
		this.#configurePool();
		return this.#serverless.handle(request);
	}

	/** A client of the engine. */
	client<R>(): Client<R> {
		const { endpoint, namespace, token } = this.#engine;
		const { headers, runner } = this.config;
		return createHttpClient<R>({
			endpoint,
			namespace,
			token,
			headers,
			runnerName: runner.runnerName,
		});
	}

	async flush(): Promise<void> {
		await Promise.all([...this.#runners].map(({ host }) => host.flush()));
	}

	unsaved(): string[] {
		return [...this.#runners].flatMap(({ host }) => host.unsaved);
	}

	shutdown(): Promise<void> {
		this.#poolConfigurer?.stop();
		this.#closed ??= Promise.all([...this.#runners].map((runner) => runner.close()))
			.then(() => {})
			.finally(() => this.#unguard?.());
		return this.#closed;
	}

	#configurePool(): void {
		const { headers, serverless } = this.config;
		const pool = serverless.configureRunnerPool;
		if (pool === undefined || this.#poolConfigurer !== null) return;
		this.#poolConfigurer = new PoolConfigurer({
			engine: this.#engine,
			headers,
			pool,
			clock: systemClock(),
			log: this.#log,
		});
		this.#poolConfigurer.start();
	}

	#start(options: {
		readonly engine: RemoteEngine;
		readonly runnerName: string;
		readonly runnerKey: string | undefined;
		readonly totalSlots: number;
	}): RunningRunner {
		const { config } = this;
		const { token } = options.engine;
		if (token !== undefined && !isEngineToken(token)) {
			const message = `${ENGINE_TOKEN_ALPHABET} (RIVET_TOKEN or token here, auth.admin_token at the engine)`;
			const isOfEnvironment = token === process.env.RIVET_TOKEN;
			const variable = isOfEnvironment ? { variable: "RIVET_TOKEN" } : undefined;
			throw plainly(
				configError("Invalid registry config", [{ path: ["token"], message, ...variable }]),
			);
		}
		const runner = startRunner({
			engine: { ...options.engine, headers: config.headers },
			definitions: definitionsOf(config.use),
			runnerName: options.runnerName,
			runnerKey: options.runnerKey,
			totalSlots: options.totalSlots,
			codeVersion: config.runner.version,
			version: VERSION,
			clock: systemClock(),
			random: systemRandom(),
			log: this.#log,
			messageLimits: config,
			maxOpenDatabases: config.maxOpenDatabases,
			checksReplays: isDevelopment(process.env),
			inspection: { ...config.inspector, isOpen: () => false },
			telemetry: { traces: config.traces, metrics: config.metrics.enabled },
			exposeErrors,
		});
		this.#runners.add(runner);
		void runner.ended.then(() => this.#runners.delete(runner));
		return runner;
	}
}

function refusal(): Response {
	const error = catalogueError("guard.service_unavailable", {});
	const { group, code, message, statusCode } = toWireError(error, { expose: false });
	return Response.json({ group, code, message }, { status: statusCode });
}
