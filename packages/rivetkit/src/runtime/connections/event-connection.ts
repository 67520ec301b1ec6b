import {
	type ActorSocket,
	type ActorSocketHandler,
	ANY_CLIENT,
	catalogueError,
	decodeToServer,
	type Encoding,
	encodeToClient,
	IDENTIFYING_CLIENT,
	peekActionId,
	RivetError,
	type ToServer,
	utf8Length,
} from "@rivetkit/protocol";
import { eventDeclaration } from "../../actor/erased.ts";
import { ActionCall } from "../actions/action-call.ts";
import type { Outcome, Settle } from "../calls/call-log.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike, withTimeout } from "../lifecycle/with-timeout.ts";
import { CLOSE_NORMAL, CLOSE_REFUSED, truncateCloseReason } from "./close-codes.ts";
import { Connection } from "./connection.ts";
import { Liveness } from "./liveness.ts";
import { subscriptionRefusal } from "./subscription-limits.ts";

/** Bytes a client may send ahead of what the actor has worked off, per connection. */
export const BACKLOG_BYTES_MAX = 16 * 1024 * 1024;
/** What a waiting message takes besides its content. */
const MESSAGE_OVERHEAD_BYTES = 64;

/**
 * One `/connect` socket: frames in, frames out (contract: protocol 3). Frames start strictly in the order
 * of arrival; by default the next one starts when the action before it has finished, while the *answers*
 * wait for the disk without holding anything up.
 *
 *     opening ─▶ open ─▶ closed
 *        └────────────────▲
 */
export class EventConnection implements ActorSocketHandler {
	readonly #instance: ActorInstance;
	readonly #socket: ActorSocket;
	readonly #encoding: Encoding;
	readonly #session: string | null;
	readonly #connection: Connection;
	readonly #liveness: Liveness;
	#phase: "opening" | "open" | "closed" = "opening";
	#backlog: (string | Uint8Array)[] = [];
	#backlogBytes = 0;
	#busy = 0;
	/** A subscription is being decided; what comes after it may rely on the outcome. */
	#isGuarding = false;

	constructor(
		instance: ActorInstance,
		socket: ActorSocket,
		options: { encoding: Encoding; params: unknown; session: string | null },
	) {
		this.#instance = instance;
		this.#socket = socket;
		this.#encoding = options.encoding;
		this.#session = options.session;
		this.#connection = new Connection(instance, "websocket", options.params, {
			socket,
			encoding: options.encoding,
		});
		this.#connection.closeTransport = (code, reason) => this.#closeSocket(code, reason);
		this.#liveness = new Liveness(instance, socket, () => this.#peerDead());
	}

	/** Runs the opening hooks, then answers with Init. A refusal is an Error frame and close 1011. */
	async open(request: Request): Promise<void> {
		const instance = this.#instance;
		this.#socket.listen(this);
		try {
			await instance.connections.open(this.#connection, request);
		} catch (error) {
			this.#refuse(error);
			return;
		}
		if (this.#phase === "closed") {
			await instance.connections.close(this.#connection);
			return;
		}
		this.#phase = "open";
		const init = encodeToClient(this.#encoding, {
			tag: "Init",
			actorId: instance.actorId,
			connectionId: this.#connection.id,
		});
		instance.afterDurable((error) => {
			if (error === undefined) this.#connection.begin(init);
			else this.#refuse(error);
		});
		this.#liveness.start();
		this.#workOff();
	}

	onMessage(message: string | Uint8Array): void {
		if (this.#phase === "closed") return;
		if (this.#backlog.length === 0 && this.#mayHandle) {
			this.#handle(message);
			return;
		}
		this.#backlogBytes += message.length + MESSAGE_OVERHEAD_BYTES;
		if (this.#backlogBytes > BACKLOG_BYTES_MAX) {
			this.#closeSocket(CLOSE_REFUSED, "connection.backlog_full");
			return;
		}
		this.#backlog.push(message);
	}

	onPong(): void {
		this.#liveness.pong();
	}

	onClose(): void {
		this.#liveness.stop();
		this.#backlog = [];
		if (this.#phase === "closed") return;
		const wasOpen = this.#phase === "open";
		this.#phase = "closed";
		if (wasOpen) void this.#instance.connections.close(this.#connection);
	}

	/** A stopping actor begins nothing new: what it leaves in the backlog goes to the next incarnation. */
	get #mayHandle(): boolean {
		const { options, isReady } = this.#instance;
		if (!isReady || this.#phase !== "open" || this.#connection.phase !== "open") return false;
		return !this.#isGuarding && this.#busy < options.connectionConcurrency;
	}

	#workOff(): void {
		while (this.#backlog.length > 0 && this.#mayHandle) {
			const message = this.#backlog.shift()!;
			this.#backlogBytes -= message.length + MESSAGE_OVERHEAD_BYTES;
			this.#handle(message);
		}
	}

	#handle(data: string | Uint8Array): void {
		const limit = this.#instance.services.limits.maxIncomingMessageSize;
		const size = typeof data === "string" ? utf8Length(data) : data.byteLength;
		if (size > limit) {
			this.#refuseOversized(data, size, limit);
			return;
		}
		let message: ToServer;
		try {
			message = decodeToServer(this.#encoding, data);
		} catch (error) {
			if (!(error instanceof RivetError)) throw error;
			this.#instance.log.warn({ connId: this.#connection.id, err: error }, "undecodable frame");
			this.#closeSocket(CLOSE_REFUSED, `${error.group}.${error.code}`);
			return;
		}
		switch (message.tag) {
			case "ActionRequest":
				this.#act(message.id, message.name, message.args);
				return;
			case "SubscriptionRequest":
				if (message.subscribe) this.#subscribe(message.eventName);
				else this.#instance.connections.unsubscribe(this.#connection, message.eventName);
				return;
			default:
				message satisfies never;
		}
	}

	#act(id: number | bigint, name: string, args: unknown[]): void {
		const instance = this.#instance;
		this.#busy++;
		let inline = true;
		const run = (settle: Settle) => {
			new ActionCall(instance, this.#connection, name, args, settle).start();
		};
		const answer = (outcome: Outcome) => {
			this.#busy--;
			this.#answer(id, outcome, name);
			if (!inline) this.#workOff();
		};
		if (this.#session === null) run(answer);
		else instance.calls.once(`${this.#session}:${id}`, instance.services.clock, run, answer);
		inline = false;
	}

	#answer(id: number | bigint, outcome: Outcome, action: string): void {
		const instance = this.#instance;
		let frame: string | Uint8Array;
		if (outcome.ok) {
			try {
				frame = encodeToClient(
					this.#encoding,
					{ tag: "ActionResponse", id, output: outcome.output },
					this.#session === null ? ANY_CLIENT : IDENTIFYING_CLIENT,
				);
				const limit = instance.services.limits.maxOutgoingMessageSize;
				const size = typeof frame === "string" ? utf8Length(frame) : frame.byteLength;
				if (size > limit) throw catalogueError("message.outgoing_too_long", { size, limit });
			} catch (error) {
				frame = this.#errorFrame(error, id, action);
			}
		} else {
			frame = encodeToClient(this.#encoding, { tag: "Error", ...outcome.error, actionId: id });
		}
		instance.afterDurable((error) => {
			this.#connection.deliver(error === undefined ? frame : this.#errorFrame(error, id, action));
		});
	}

	#errorFrame(
		error: unknown,
		actionId: number | bigint | null,
		action?: string,
	): string | Uint8Array {
		const wire = this.#instance.describeError(error, action ? { action } : {});
		return encodeToClient(this.#encoding, { tag: "Error", ...wire, actionId });
	}

	#subscribe(event: string): void {
		const instance = this.#instance;
		const refusal = subscriptionRefusal(this.#connection, event);
		if (refusal) {
			this.#denySubscription(refusal);
			return;
		}
		const canSubscribe = eventDeclaration(instance.config, event)?.canSubscribe;
		if (!canSubscribe) {
			instance.connections.subscribe(this.#connection, event);
			return;
		}
		this.#isGuarding = true;
		instance.work.begin("guard");
		const settle = (verdict: unknown, thrown?: { error: unknown }) => {
			this.#isGuarding = false;
			instance.work.end("guard");
			if (verdict === true) instance.connections.subscribe(this.#connection, event);
			else this.#denySubscription(thrown ? thrown.error : verdictError(verdict));
			instance.saveSoon();
		};
		try {
			const verdict = withTimeout(
				instance,
				"canSubscribe",
				instance.options.actionTimeout,
				canSubscribe(instance.contexts.connection(this.#connection, undefined)),
				"actionTimeout",
			);
			if (!isPromiseLike(verdict)) {
				settle(verdict);
				return;
			}
			verdict.then(
				(value) => {
					settle(value);
					this.#workOff();
				},
				(error) => {
					settle(undefined, { error });
					this.#workOff();
				},
			);
		} catch (error) {
			settle(undefined, { error });
		}
	}

	#denySubscription(error: unknown): void {
		const frame = this.#errorFrame(error, null);
		this.#instance.afterDurable(() => this.#connection.deliver(frame));
	}

	/** Ruling 2: only the call fails when its id can be read; otherwise the connection is refused. */
	#refuseOversized(data: string | Uint8Array, size: number, limit: number): void {
		const error = catalogueError("message.incoming_too_long", { size, limit });
		const id = peekActionId(this.#encoding, data);
		const frame = this.#errorFrame(error, id);
		this.#instance.afterDurable(() => {
			this.#connection.deliver(frame);
			if (id === null) this.#closeSocket(CLOSE_REFUSED, "message.incoming_too_long");
		});
	}

	#refuse(error: unknown): void {
		if (this.#phase === "closed") return;
		const wire = this.#instance.describeError(error, {});
		this.#socket.send(encodeToClient(this.#encoding, { tag: "Error", ...wire, actionId: null }));
		this.#closeSocket(CLOSE_REFUSED, `${wire.group}.${wire.code}`);
	}

	#closeSocket(code: number, reason: string): void {
		if (this.#phase === "closed") return;
		const wasOpen = this.#phase === "open";
		this.#phase = "closed";
		this.#liveness.stop();
		this.#backlog = [];
		this.#socket.close(code, truncateCloseReason(reason));
		if (wasOpen) void this.#instance.connections.close(this.#connection);
	}

	#peerDead(): void {
		this.#instance.log.info(
			{ connId: this.#connection.id },
			"connection closed: the client did not answer pings (options.connectionLivenessTimeout)",
		);
		this.#closeSocket(CLOSE_NORMAL + 1, "connection.liveness_timeout");
	}
}

function verdictError(verdict: unknown): RivetError {
	return verdict === false
		? catalogueError("auth.forbidden", {})
		: catalogueError("handler.invalid_can_subscribe_response", {});
}
