import {
	catalogueError,
	type Encoding,
	encodeToClient,
	type PreparedMessage,
	utf8Length,
} from "@rivetkit/protocol";
import { eventDeclaration } from "../../actor/erased.ts";
import type { Connection } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isStarting } from "../lifecycle/lifecycle.ts";
import { untracked } from "../state/index.ts";
import { EventRecorder } from "./event-recorder.ts";
import { validateEventPayload } from "./validate-event.ts";

/** Names of undeclared events that are warned of, per incarnation: names may come from callers. */
const WARNINGS_MAX = 100;

/**
 * Events to connected clients (contract: lifecycle 10). An event is encoded once per encoding, checked
 * against the size limit before the first send, and leaves after the commit of the turn that emitted it.
 */
export class EventSender {
	readonly #instance: ActorInstance;
	#undeclaredWarned: Set<string> | null = null;
	readonly #recorder: EventRecorder | null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.#recorder = instance.telemetry && new EventRecorder(instance.telemetry);
	}

	/** To every connection subscribed now. Throws `event.invalid_payload`, `message.outgoing_too_long`. */
	broadcast(name: string, args: readonly unknown[]): void {
		const payload = this.#check(name, args);
		// Clients of earlier incarnations hear nothing of a start (lifecycle 4).
		if (isStarting(this.#instance.phase)) return;
		const subscribers = this.#instance.connections.subscribers(name);
		this.#recorder?.emitted(name, payload, subscribers?.size ?? 0);
		if (!subscribers) return;
		const targets = [...subscribers];
		const messages = this.#encodeFor(targets, name, payload);
		this.#instance.afterDurable((error) => {
			if (error !== undefined) return;
			const prepared = new Map<Encoding, PreparedMessage>();
			for (const connection of targets) {
				const { encoding, socket } = connection.channel!;
				let message = prepared.get(encoding);
				if (!message) {
					const data = messages.get(encoding)!;
					message = connection.isLingering ? { data } : socket.prepare(data);
					if (!connection.isLingering) prepared.set(encoding, message);
				}
				connection.deliverEvent(message);
			}
		});
	}

	/** To one connection, subscribed or not. Connections without an event channel are left out, logged. */
	sendTo(connection: Connection, name: string, args: readonly unknown[]): void {
		this.#instance.assertAllowed("broadcast");
		const payload = this.#check(name, args);
		if (connection.phase === "candidate") {
			throw catalogueError("actor.internal_error", {
				message: `conn.send("${name}") works once the connection is accepted (from onConnect on)`,
			});
		}
		if (connection.phase === "closed") return;
		if (!connection.channel) {
			this.#instance.log.warn(
				{ connId: connection.id, kind: connection.kind, event: name },
				"conn.send has no effect: this kind of connection carries no events",
			);
			return;
		}
		const { encoding } = connection.channel;
		this.#recorder?.emitted(name, payload, 1, connection.id);
		const data = this.#encodeFor([connection], name, payload).get(encoding)!;
		this.#instance.afterDurable((error) => {
			if (error === undefined) connection.deliverEvent({ data });
		});
	}

	#check(name: string, args: readonly unknown[]): readonly unknown[] {
		const { config } = this.#instance;
		const declaration = eventDeclaration(config, name);
		if (!declaration) {
			this.#undeclaredWarned ??= new Set();
			if (!this.#undeclaredWarned.has(name) && this.#undeclaredWarned.size < WARNINGS_MAX) {
				this.#undeclaredWarned.add(name);
				this.#instance.log.warn({ event: name }, "event is not declared under `events`");
			}
			return args;
		}
		return declaration.schema ? validateEventPayload(name, declaration.schema, args) : args;
	}

	#encodeFor(
		targets: readonly Connection[],
		name: string,
		payload: readonly unknown[],
	): Map<Encoding, string | Uint8Array> {
		// Encoders do not see bytes of the state through their proxies.
		const args = untracked([...payload]) as unknown[];
		const messages = new Map<Encoding, string | Uint8Array>();
		const limit = this.#instance.services.limits.maxOutgoingMessageSize;
		for (const { channel } of targets) {
			if (!channel || messages.has(channel.encoding)) continue;
			const message = encodeToClient(channel.encoding, { tag: "Event", name, args });
			const size = typeof message === "string" ? utf8Length(message) : message.byteLength;
			if (size > limit) throw catalogueError("message.outgoing_too_long", { size, limit });
			messages.set(channel.encoding, message);
		}
		return messages;
	}
}
