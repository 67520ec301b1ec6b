import {
	createMemoryStore,
	type EngineLimits,
	type ListeningServer,
	type Store,
} from "@rivetkit/engine";
import { type Clock, systemClock, systemRandom } from "@rivetkit/protocol";
import { erasedConfig } from "../../src/actor/erased.ts";
import {
	type Embedded,
	inProcessClient,
	startEmbedded,
} from "../../src/backends/embedded/embedded.ts";
import { createClient } from "../../src/client/index.ts";
import type { Logger } from "../../src/log/logger.ts";
import type { InspectionConfig } from "../../src/runtime/inspector/inspection-config.ts";
import { type TelemetryConfig, TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";

export interface LogLine {
	readonly level: string;
	readonly message: string;
	readonly fields: Record<string, unknown>;
}

/** A logger that keeps its lines. */
export function recordingLogger(lines: LogLine[], bindings: object = {}): Logger {
	const at =
		(level: string) =>
		(first: object | string, second?: unknown): void => {
			const fields = typeof first === "string" ? bindings : { ...bindings, ...first };
			const message = typeof first === "string" ? first : String(second ?? "");
			lines.push({ level, message, fields: fields as Record<string, unknown> });
		};
	return {
		trace: at("trace"),
		debug: at("debug"),
		info: at("info"),
		warn: at("warn"),
		error: at("error"),
		fatal: at("fatal"),
		level: "trace",
		isLevelEnabled: () => true,
		child: (more) => recordingLogger(lines, { ...bindings, ...more }),
	};
}

export interface TestRuntimeOptions {
	readonly store?: Store;
	readonly clock?: Clock;
	readonly exposeErrors?: boolean;
	readonly codeVersion?: number;
	/** Default true. */
	readonly checksReplays?: boolean;
	/** Default: a free one. */
	readonly port?: number;
	readonly maxIncomingMessageSize?: number;
	readonly maxOutgoingMessageSize?: number;
	/** Holds the working files of databases; a temporary folder when absent. */
	readonly dataDirectory?: string;
	readonly maxOpenDatabases?: number;
	/** Of the engine. */
	readonly limits?: Partial<EngineLimits>;
	/** Of the management API. */
	readonly token?: string;
	/** Default: open to this machine, without a token. */
	readonly inspection?: Partial<InspectionConfig>;
	/** Default: everything is recorded, as in development; spans in memory only, so that commits are the actors' own. */
	readonly telemetry?: TelemetryConfig | null;
	/** Default: one that keeps its lines in `log`. */
	readonly logger?: Logger;
}

let openStore: () => Store | Promise<Store> = createMemoryStore;

/** What runtimes stand on that are given no store: this one from now on. Default: memory. */
export function standOn(open: () => Promise<Store>): void {
	openStore = open;
}

const IN_MEMORY: TelemetryConfig = { traces: { ...TRACE_LIMITS, store: false }, metrics: true };

/** Actors on an embedded engine with a server on a free port. Close it with `await using`. */
export class TestRuntime {
	readonly embedded: Embedded;
	readonly server: ListeningServer;
	readonly log: readonly LogLine[];
	readonly store: Store;
	readonly #options: TestRuntimeOptions;

	constructor(
		embedded: Embedded,
		server: ListeningServer,
		log: readonly LogLine[],
		store: Store,
		options: TestRuntimeOptions,
	) {
		this.embedded = embedded;
		this.server = server;
		this.log = log;
		this.store = store;
		this.#options = options;
	}

	static async start(
		use: Readonly<Record<string, { readonly config: object }>>,
		options: TestRuntimeOptions = {},
	): Promise<TestRuntime> {
		const log: LogLine[] = [];
		const store = options.store ?? (await openStore());
		let url = "";
		const embedded = startEmbedded({
			store,
			definitions: new Map(
				Object.entries(use).map(([name, definition]) => [name, erasedConfig(definition)]),
			),
			clock: options.clock ?? systemClock(),
			random: systemRandom(),
			log: options.logger ?? recordingLogger(log),
			messageLimits: {
				maxIncomingMessageSize: options.maxIncomingMessageSize ?? 65_536,
				maxOutgoingMessageSize: options.maxOutgoingMessageSize ?? 1_048_576,
			},
			version: "0.0.0-test",
			codeVersion: options.codeVersion ?? 1,
			checksReplays: options.checksReplays ?? true,
			...(options.dataDirectory === undefined ? {} : { dataDirectory: options.dataDirectory }),
			...(options.maxOpenDatabases === undefined
				? {}
				: { maxOpenDatabases: options.maxOpenDatabases }),
			...(options.limits === undefined ? undefined : { engineLimits: options.limits }),
			namespace: "default",
			...(options.token === undefined ? undefined : { token: options.token }),
			inspection: { enabled: true, token: () => "", isOpen: () => true, ...options.inspection },
			...(options.telemetry !== null && {
				telemetry: options.telemetry ?? IN_MEMORY,
			}),
			exposeErrors: () => options.exposeErrors ?? false,
			publicUrl: () => url,
		});
		const server = await embedded.engine.listen({ port: options.port ?? 0 });
		url = server.url;
		return new TestRuntime(embedded, server, log, store, options);
	}

	get url(): string {
		return this.server.url;
	}

	/** A client over HTTP and WebSockets. Dispose it, or it is left to the end of the process. */
	client(encoding: "bare" | "cbor" | "json" = "bare") {
		return createClient({ endpoint: this.url, encoding });
	}

	/** A client in this process, without a network. */
	localClient() {
		const { engine } = this.embedded;
		const log = recordingLogger([]);
		return inProcessClient(engine, null, {
			clock: systemClock(),
			random: systemRandom(),
			log,
			publicUrl: () => this.url,
			exposeErrors: () => this.#options.exposeErrors ?? false,
		});
	}

	/** The id of an actor that is created if need be, over the management API. */
	async actorId(name: string, key = "/", input?: string, crashPolicy = "sleep"): Promise<string> {
		const response = await fetch(`${this.url}/actors`, {
			method: "PUT",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({
				name,
				key,
				runner_name_selector: "default",
				crash_policy: crashPolicy,
				...(input === undefined ? undefined : { input }),
			}),
		});
		const body = (await response.json()) as { actor?: { actor_id: string } };
		if (!body.actor) throw new Error(`PUT /actors: ${response.status} ${JSON.stringify(body)}`);
		return body.actor.actor_id;
	}

	/** A plain JSON action, as with curl. */
	action(actorId: string, name: string, ...args: unknown[]): Promise<Response> {
		return fetch(`${this.url}/gateway/${actorId}/action/${encodeURIComponent(name)}`, {
			method: "POST",
			body: JSON.stringify({ args }),
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.embedded.close();
	}
}
