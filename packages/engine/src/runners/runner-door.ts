import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, SUBPROTOCOL_TOKEN } from "@rivetkit/protocol";
import {
	decodeRunnerToServer,
	encodeRunnerToClient,
	HEADER_ENGINE_PROCESS,
	HEADER_RUNNER_PROCESS,
	isRunnerVersion,
	PATH_RUNNER_CONNECT,
	type RunnerToClient,
	type RunnerToServer,
	type RunnerVersion,
} from "@rivetkit/protocol/runner";
import { type WebSocket, WebSocketServer } from "ws";
import type { EngineLogger } from "../common/logger.ts";
import type { RunnerLimits } from "./runner-limits.ts";
import type { ConnectingRunner, RunnerRecord, RunnerSocket } from "./runner-record.ts";
import type { RunnersHost } from "./runners-host.ts";

/**
 * Bytes of one message of a runner. Twice of what an answer may have: one that is too large is to fail alone, not with
 * the socket of all the runner's actors (Q9), but what is read for that must end somewhere.
 */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
/** Of one that is refused. Its frames are not kept: one with content ends what is read of it, behind the close. */
const REFUSED_MESSAGE_BYTES_MAX = 1;
const CLOSE_ERROR = 1011;
/** Characters of what a runner calls its process that count. */
const PROCESS_ID_MAX = 128;

export interface RunnerDoorOptions {
	readonly host: RunnersHost;
	/** Of this process, told to runners. */
	readonly processId: string;
	readonly clock: Clock;
	/** Of a request, for the reasons of closes. */
	readonly newId: () => string;
	readonly logger: EngineLogger;
	readonly limits: RunnerLimits;
	readonly hasNamespace: (name: string) => Promise<boolean>;
	/** Whether this token lets a runner of this namespace in; undefined when everybody may be a runner. */
	readonly accepts: ((token: string, namespace: string) => boolean) | undefined;
}

/** Where runners come in: `/runners/connect` (contract: engine 4.1). */
export class RunnerDoor {
	readonly #options: RunnerDoorOptions;
	readonly #allowed: WebSocketServer;
	readonly #refused: WebSocketServer;

	constructor(options: RunnerDoorOptions) {
		this.#options = options;
		this.#allowed = webSockets(MESSAGE_BYTES_MAX, options.processId);
		this.#refused = webSockets(REFUSED_MESSAGE_BYTES_MAX, options.processId);
	}

	isFor(path: string): boolean {
		const end = path.indexOf("?");
		return (end < 0 ? path : path.slice(0, end)) === PATH_RUNNER_CONNECT;
	}

	/** For `server.on("upgrade", …)`. What is wrong is told by a close, never by an HTTP error. */
	upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void {
		const query = queryOf(message.url!);
		const offered = (message.headers["sec-websocket-protocol"] ?? "")
			.split(",")
			.map((entry) => entry.trim());
		const refusal = this.#refusal(query, offered);
		if (refusal !== null) {
			this.#refuse(message, socket, head, refusal);
			return;
		}
		const processId = message.headers[HEADER_RUNNER_PROCESS]?.toString().slice(0, PROCESS_ID_MAX);
		this.#allowed.handleUpgrade(message, socket, head, (webSocket) => {
			// Its first message must not come before somebody listens.
			webSocket.pause();
			webSocket.on("error", () => webSocket.terminate());
			void this.#admit(webSocket, query, processId ?? null);
		});
	}

	#refuse(message: IncomingMessage, socket: Duplex, head: Buffer, reason: string): void {
		this.#refused.handleUpgrade(message, socket, head, (webSocket) => {
			// What it sends is too long for it; it is to hear why it is refused nevertheless.
			webSocket.on("error", () => {});
			this.#close(webSocket, CLOSE_ERROR, reason);
		});
	}

	/** Never rejects. */
	async #admit(
		webSocket: WebSocket,
		query: URLSearchParams,
		processId: string | null,
	): Promise<void> {
		const namespace = query.get("namespace")!;
		const version = Number(query.get("protocol_version"));
		const refusal = await this.#laterRefusal(namespace, version).catch(() => "core.internal_error");
		webSocket.resume();
		if (refusal !== null) {
			this.#close(webSocket, CLOSE_ERROR, refusal);
			return;
		}
		this.#greet(webSocket, version as RunnerVersion, {
			namespace,
			key: query.get("runner_key")!,
			processId,
		});
	}

	/** Why this socket may not be a runner's, whatever there is; null when it may. */
	#refusal(query: URLSearchParams, offered: readonly string[]): string | null {
		const { accepts } = this.#options;
		const namespace = query.get("namespace") ?? "";
		if (accepts !== undefined) {
			const given = offered.find((entry) => entry.startsWith(SUBPROTOCOL_TOKEN));
			if (given === undefined) return "guard.missing_header";
			if (!accepts(given.slice(SUBPROTOCOL_TOKEN.length), namespace)) return "api.forbidden";
		}
		const version = query.get("protocol_version") ?? "";
		const isU16 = /^\d{1,5}$/.test(version) && Number(version) <= 0xffff;
		return isU16 && namespace && query.get("runner_key") ? null : "ws.invalid_url";
	}

	/** The same as soon as it is known what there is. */
	async #laterRefusal(namespace: string, version: number): Promise<string | null> {
		if (!(await this.#options.hasNamespace(namespace))) return "namespace.not_found";
		return isRunnerVersion(version) ? null : "ws.invalid_packet";
	}

	#greet(webSocket: WebSocket, version: RunnerVersion, who: ConnectingRunner): void {
		const { host, clock, limits, logger } = this.#options;
		const { namespace, key } = who;
		const close = (code: number, reason: string) => this.#close(webSocket, code, reason);
		const socket: RunnerSocket = {
			version,
			get bufferedBytes() {
				return webSocket.bufferedAmount;
			},
			send: (message: RunnerToClient, sent?: () => void) => {
				if (webSocket.readyState !== webSocket.OPEN) return false;
				webSocket.send(encodeRunnerToClient(version, message), sent && (() => sent()));
				return true;
			},
			close,
		};
		let runner: RunnerRecord | null = null;
		const silent = clock.after(limits.initTimeoutMs, () =>
			close(CLOSE_ERROR, "ws.timed_out_waiting_for_init"),
		);
		webSocket.on("message", (data, isBinary) => {
			let message: RunnerToServer;
			try {
				if (!isBinary) {
					if (runner === null) close(CLOSE_ERROR, "ws.invalid_initial_packet");
					return;
				}
				message = decodeRunnerToServer(version, data as Buffer);
			} catch {
				close(CLOSE_ERROR, "ws.invalid_packet");
				return;
			}
			try {
				if (runner !== null) {
					host.received(runner, socket, message);
				} else if (message.tag === "ToServerInit") {
					silent.stop();
					runner = host.connected(who, message.val, socket);
				} else {
					close(CLOSE_ERROR, "ws.invalid_initial_packet");
				}
			} catch (error) {
				// Whatever it was, it is this runner's alone: it comes back, and tells again what was not acknowledged.
				logger.error(
					{ namespace, key, runnerId: runner?.runnerId, message: message.tag, err: error },
					"a message of a runner could not be dealt with; its socket is closed",
				);
				close(CLOSE_ERROR, "core.internal_error");
			}
		});
		webSocket.on("close", () => {
			silent.stop();
			if (runner !== null) host.disconnected(runner, socket);
		});
	}

	#close(webSocket: WebSocket, code: number, reason: string): void {
		webSocket.close(code, `${reason}#${this.#options.newId()}`);
	}
}

function webSockets(maxPayload: number, processId: string): WebSocketServer {
	const server = new WebSocketServer({
		noServer: true,
		clientTracking: false,
		perMessageDeflate: false,
		maxPayload,
		handleProtocols: (offered) => (offered.has("rivet") ? "rivet" : false),
	});
	server.on("headers", (headers) => {
		headers.push(`${HEADER_ENGINE_PROCESS}: ${processId}`);
	});
	return server;
}

/** Of a request target in whatever form: as a URL it may not parse, such as `http://a:99999/`. */
function queryOf(target: string): URLSearchParams {
	const at = target.indexOf("?");
	return new URLSearchParams(at < 0 ? "" : target.slice(at));
}
