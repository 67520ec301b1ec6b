import {
	encodeBase64,
	type HealthResponse,
	PATH_HEALTH,
	PATH_METADATA,
	PATH_START,
	RUNTIME,
	type ServerMetadata,
	toWireError,
} from "@rivetkit/protocol";
import { encodeServerlessGreeting } from "@rivetkit/protocol/runner";
import type { RunningRunner } from "../../backends/runner/start-runner.ts";
import { VERSION } from "../../utils/version.ts";
import type { RegistryConfig } from "../config/registry-config.ts";
import { buildActorNames } from "../definitions.ts";
import { exposeErrors } from "../local-runtime.ts";
import { readStartRequest, type StartRequest } from "./start-request.ts";

/** How often the stream of a start says that it is there (contract: engine 5.2). */
const PING_INTERVAL_MS = 1_000;

export interface ServerlessOptions {
	readonly config: RegistryConfig;
	readonly engine: { readonly endpoint: string; readonly namespace: string };
	/** Connects to the engine as a runner, for as long as the request lasts. */
	readonly startRunner: (request: StartRequest) => RunningRunner;
}

/**
 * `registry.handler()` behind an engine elsewhere: the four routes of a serverless host below
 * `serverless.basePath` (contract: engine 5, protocol 4.10).
 */
export class ServerlessHandler {
	readonly #options: ServerlessOptions;

	constructor(options: ServerlessOptions) {
		this.#options = options;
	}

	async handle(request: Request): Promise<Response> {
		const path = this.#pathOf(new URL(request.url).pathname);
		if (path === null || request.method !== "GET") return notFound();
		switch (path) {
			case "/":
				return new Response("This is a RivetKit server.\n");
			case PATH_HEALTH:
				return Response.json({
					status: "ok",
					runtime: RUNTIME,
					version: VERSION,
				} satisfies HealthResponse);
			case PATH_METADATA:
				return Response.json(this.#metadata());
			case PATH_START:
				return this.#start(request);
			default:
				return notFound();
		}
	}

	#pathOf(pathname: string): string | null {
		const { basePath } = this.#options.config.serverless;
		const prefix = basePath === "/" ? "" : basePath;
		if (pathname !== prefix && !pathname.startsWith(`${prefix}/`)) return null;
		const path = pathname.slice(prefix.length).replace(/\/$/, "");
		return path === "" ? "/" : path;
	}

	#metadata(): ServerMetadata {
		const { config, engine } = this.#options;
		const { publicEndpoint, publicNamespace, publicToken } = config.serverless;
		return {
			runtime: RUNTIME,
			version: VERSION,
			runner: { kind: { serverless: {} }, version: config.runner.version },
			actorNames: buildActorNames(config),
			clientEndpoint: publicEndpoint ?? engine.endpoint,
			clientNamespace: publicEndpoint === undefined ? engine.namespace : publicNamespace!,
			...(publicToken === undefined ? {} : { clientToken: publicToken }),
		};
	}

	#start(request: Request): Response {
		let start: StartRequest;
		try {
			start = readStartRequest(request.headers, this.#options.engine);
		} catch (error) {
			const { statusCode, group, code, message, metadata } = toWireError(error, {
				expose: exposeErrors(),
			});
			return Response.json({ group, code, message, metadata }, { status: statusCode });
		}
		const runner = this.#options.startRunner(start);
		return new Response(startStream(runner, request.signal), {
			headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
		});
	}
}

/** Greets when the engine knows the runner, pings until it is gone; who lets go of it, stops the runner. */
function startStream(runner: RunningRunner, signal: AbortSignal): ReadableStream<Uint8Array> {
	const encoder = new TextEncoder();
	const stop = () => void runner.close();
	let timer: ReturnType<typeof setInterval> | undefined;
	return new ReadableStream({
		start(controller) {
			let isOver = false;
			const write = (text: string) => {
				if (!isOver) controller.enqueue(encoder.encode(text));
			};
			signal.addEventListener("abort", stop, { once: true });
			timer = setInterval(() => write("event: ping\ndata:\n\n"), PING_INTERVAL_MS);
			void runner.welcome().then(({ runnerId, version }) => {
				const greeting = { runnerId, runnerProtocolVersion: version };
				write(`data: ${encodeBase64(encodeServerlessGreeting(version, greeting))}\n\n`);
			});
			void runner.ended.then(() => {
				clearInterval(timer);
				signal.removeEventListener("abort", stop);
				if (isOver) return;
				isOver = true;
				try {
					controller.close();
				} catch {
					// The other side has let go of it already.
				}
			});
		},
		cancel() {
			clearInterval(timer);
			stop();
		},
	});
}

function notFound(): Response {
	return new Response("Not Found", { status: 404 });
}
