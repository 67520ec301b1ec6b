import { type PlainSocket, toWireError } from "@rivetkit/protocol";
import {
	decodeInspectorToServer,
	encodeInspectorToClient,
	INSPECTOR_COMPATIBLE_VERSION,
	type InspectorToClient,
	type InspectorToServer,
	type InspectorVersion,
	isInspectorMessageOf,
	spliceBetween,
} from "@rivetkit/protocol/inspector";
import { CLOSE_REFUSED } from "../../connections/close-codes.ts";
import type { ActorView } from "../view/actor-view.ts";
import type { Watcher } from "./actor-watch.ts";
import type { EntrySink } from "./entry-follower.ts";
import { initMessage, type Snapshot } from "./snapshot.ts";

/** Bytes that wait for a slow peer; more closes its socket. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** Requests of one socket that are in progress at the same time; more are refused. */
const REQUESTS_MAX = 64;

type StateUpdated = Extract<InspectorToClient, { tag: "StateUpdated" }>;

export interface SessionHandlers {
	/** The answer; null for none, and for one that is out already. What it rejects with goes to the client as an `Error`. */
	answer(request: InspectorToServer): Promise<InspectorToClient | null>;
	closed(): void;
	/** Text for a client of what went wrong; it logs what that hides. */
	describe(error: unknown, request: string): string;
}

/**
 * One inspector's socket (contract: protocol 7.3). Speaks the version of 2.1.3 until the client is heard
 * of, and that client's version from then on.
 */
export class InspectorSession implements Watcher, EntrySink {
	readonly #socket: PlainSocket;
	#version: InspectorVersion;
	/** Whether Init is out; nothing may come before. */
	#hasBegun = false;
	#isOver = false;
	#isListening = false;
	#requests = 0;
	/** As the client was told it last, in CBOR. */
	#state: Uint8Array | undefined;

	/** @param version - what the client asked for; null when it did not */
	constructor(socket: PlainSocket, version: InspectorVersion | null) {
		this.#socket = socket;
		this.#version = version ?? INSPECTOR_COMPATIBLE_VERSION;
	}

	get isOver(): boolean {
		return this.#isOver;
	}

	/** Of one that was closed before: tells so at once. */
	listen(handlers: SessionHandlers): void {
		if (this.#isOver) {
			handlers.closed();
			return;
		}
		this.#isListening = true;
		this.#socket.listen({
			onMessage: (message) => void this.#received(message, handlers),
			onClose: () => {
				this.#isOver = true;
				handlers.closed();
			},
		});
	}

	get waitingBytes(): number {
		return this.#socket.bufferedBytes;
	}

	begin(view: ActorView, snapshot: Snapshot): void {
		this.#hasBegun = true;
		this.#state = snapshot.state;
		this.#send(initMessage(view, snapshot));
	}

	/** Clients that are too old to know of a change hear nothing of it. */
	looked(_view: ActorView, changes: readonly InspectorToClient[]): void {
		if (!this.#hasBegun) return;
		for (const change of changes) {
			this.push(change.tag === "StateUpdated" ? this.#stateChange(change) : change);
		}
	}

	push(message: InspectorToClient): void {
		if (isInspectorMessageOf(this.#version, message.tag)) this.#send(message);
	}

	/** An answer. Clients that are too old to know of it get an `Error` that says so. */
	reply(message: InspectorToClient): void {
		this.#send(message);
	}

	/** The difference, for clients that know of such; the whole where that is no larger. */
	#stateChange(change: StateUpdated): InspectorToClient {
		const before = this.#state;
		this.#state = change.val.state;
		if (!before || !isInspectorMessageOf(this.#version, "StateSpliced")) return change;
		const splice = spliceBetween(before, change.val.state);
		return splice ? { tag: "StateSpliced", val: splice } : change;
	}

	/** Closes with `group.code` of an error. */
	refuse(error: unknown): void {
		const { group, code } = toWireError(error, { expose: true });
		this.#close(`${group}.${code}`);
	}

	#close(reason: string): void {
		this.#isOver = true;
		// Whoever carries the socket keeps it until it has told somebody that it is closed.
		if (!this.#isListening) this.#socket.listen({ onMessage: () => {}, onClose: () => {} });
		this.#isListening = true;
		this.#socket.close(CLOSE_REFUSED, reason);
	}

	async #received(data: string | Uint8Array, handlers: SessionHandlers): Promise<void> {
		let request: string = "message";
		this.#requests++;
		try {
			const { version, message } = decodeInspectorToServer(data);
			this.#version = version;
			request = message.tag;
			if (this.#requests > REQUESTS_MAX) {
				this.#fail(`more than ${REQUESTS_MAX} requests at the same time`);
				return;
			}
			const answer = message.tag === "Dropped" ? message.val : await handlers.answer(message);
			if (answer) this.reply(answer);
		} catch (error) {
			this.#fail(handlers.describe(error, request));
		} finally {
			this.#requests--;
		}
	}

	#fail(message: string): void {
		this.#send({ tag: "Error", val: { message } });
	}

	#send(message: InspectorToClient): void {
		if (this.#isOver) return;
		this.#socket.send(encodeInspectorToClient(this.#version, message));
		if (this.#socket.bufferedBytes <= BUFFERED_BYTES_MAX) return;
		this.#close("connection.buffer_full");
	}
}
