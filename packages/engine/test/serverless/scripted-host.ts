import { once } from "node:events";
import {
	createServer,
	type IncomingHttpHeaders,
	type Server,
	type ServerResponse,
} from "node:http";
import { encodeBase64 } from "@rivetkit/protocol";
import { encodeServerlessGreeting } from "@rivetkit/protocol/runner";
import { type RunnerOptions, ScriptedRunner } from "../runners/scripted-runner.ts";

/** One request for a runner, as the host has it. */
export interface Start {
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	readonly ts: number;
	readonly response: ServerResponse;
	/** Null where the host starts none. */
	runner: ScriptedRunner | null;
	isOver: boolean;
}

/** A serverless host that does what a test says. Every path is one: `/a/start`, `/b/start`. */
export class ScriptedHost {
	readonly starts: Start[] = [];
	/** What becomes of a start: a runner, an answer with that status, an end before the greeting, or this as the greeting. */
	does: "runs" | "ends" | number | { readonly data: string } = "runs";
	runnerOptions: RunnerOptions = { stopsAtOnce: true };
	/** Where its runners connect, whatever a request says. */
	engineUrl: string | undefined;
	metadata: unknown = { runtime: "rivetkit", version: "9" };
	metadataCount = 0;
	readonly #server: Server;

	private constructor(server: Server) {
		this.#server = server;
		server.on("request", (request, response) => {
			const path = request.url!;
			if (path.endsWith("/metadata")) {
				this.metadataCount++;
				const { metadata } = this;
				response
					.writeHead(typeof metadata === "number" ? metadata : 200)
					.end(JSON.stringify(metadata));
			} else if (path.endsWith("/start")) {
				void this.#start(path, request.headers, response);
			} else {
				response.writeHead(404).end();
			}
		});
	}

	static async listen(): Promise<ScriptedHost> {
		const server = createServer();
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return new ScriptedHost(server);
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
	}

	/** Starts that are not over. */
	get open(): Start[] {
		return this.starts.filter(({ isOver }) => !isOver);
	}

	async close(): Promise<void> {
		for (const { runner, response } of this.starts) {
			response.destroy();
			await runner?.close();
		}
		this.#server.closeAllConnections();
		this.#server.close();
		await once(this.#server, "close");
	}

	async #start(
		path: string,
		headers: IncomingHttpHeaders,
		response: ServerResponse,
	): Promise<void> {
		const start: Start = { path, headers, ts: Date.now(), response, runner: null, isOver: false };
		this.starts.push(start);
		response.on("close", () => {
			start.isOver = true;
			start.runner?.socket.close(1000, "pegboard.runner_shutdown");
		});
		const { does } = this;
		if (typeof does === "number") {
			response.writeHead(does).end("it is broken");
			return;
		}
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.write("event: ping\ndata:\n\n");
		if (does === "ends") {
			response.end();
			return;
		}
		if (does !== "runs") {
			response.write(`data: ${does.data}\n\n`);
			return;
		}
		const runner = await ScriptedRunner.connect(
			this.engineUrl ?? String(headers["x-rivet-endpoint"]),
			{
				namespace: String(headers["x-rivet-namespace-name"]),
				pool: String(headers["x-rivet-runner-name"]),
				slots: Number(headers["x-rivet-total-slots"]),
				token: headers["x-rivet-token"] === undefined ? null : String(headers["x-rivet-token"]),
				key: crypto.randomUUID(),
				...this.runnerOptions,
			},
			// The engine has closed meanwhile, as at the end of a test.
		).catch(() => null);
		if (runner === null) {
			response.destroy();
			return;
		}
		start.runner = runner;
		if (start.isOver) {
			await runner.close();
			return;
		}
		while (runner.init === undefined) await once(runner.socket, "message");
		const greeting = { runnerId: runner.init.runnerId, runnerProtocolVersion: 7 };
		response.write(`data: ${encodeBase64(encodeServerlessGreeting(7, greeting))}\n\n`);
		response.write("event: ping\ndata:\n\n");
		void runner.closed.then(() => response.end());
	}
}
