import { type ActorSocket, decodeCbor } from "@rivetkit/protocol";
import type { StoredEntries } from "../commit/storage-layout.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { RawSocketConnection } from "../raw/raw-socket-connection.ts";
import { CLOSE_NORMAL } from "./close-codes.ts";
import { Connection } from "./connection.ts";
import { readConnections, type StoredConnection } from "./connection-layout.ts";
import { ConnectionRecord } from "./connection-records.ts";
import { EventConnection } from "./event-connection.ts";

/** A socket whose connection was never stored; its client has to open another one (engine 4.12). */
const REASON_NOT_STORED = "ws.meta_not_found_during_restore";

/**
 * The connections of earlier incarnations on a wake (lifecycle 3.2, 9.4): those whose client is here go
 * on without a hook; those whose client is gone get their `onDisconnect`.
 *
 * They are in `c.conns` from now on, and hear of nothing before the actor is ready.
 */
export function restoreConnections(
	instance: ActorInstance,
	stored: StoredEntries,
	sockets: readonly ActorSocket[],
): void {
	if (stored.length === 0 && sockets.length === 0) return;
	const restored = new RestoredConnections(instance, sockets);
	restored.load(stored);
	instance.connections.whenReady(restored);
}

interface RestoredConnection {
	/** The users' handler attaches its listeners again. */
	reattach?(): void;
	/** What its client sent meanwhile is delivered from now on. */
	goOn(): void;
}

class RestoredConnections {
	readonly #instance: ActorInstance;
	readonly #sockets: Map<string, ActorSocket>;
	readonly #present: RestoredConnection[] = [];
	readonly #gone: Connection[] = [];

	constructor(instance: ActorInstance, sockets: readonly ActorSocket[]) {
		this.#instance = instance;
		this.#sockets = new Map(sockets.map((socket) => [socket.id, socket]));
	}

	/** Matches what is stored with the sockets there are. */
	load(entries: StoredEntries): void {
		for (const stored of readConnections(entries, (id) => this.#discard(id))) {
			const { socketId } = stored.head;
			const socket = this.#sockets.get(socketId);
			this.#sockets.delete(socketId);
			if (socket) this.#restore(stored, socket);
			else this.#gone.push(this.#connection(stored, null));
		}
	}

	/** The actor is ready. */
	goOn(): void {
		for (const socket of this.#sockets.values()) socket.close(CLOSE_NORMAL, REASON_NOT_STORED);
		// A message may concern the other sockets, too: nobody hears one before all can.
		for (const connection of this.#present) connection.reattach?.();
		for (const connection of this.#present) connection.goOn();
		for (const connection of this.#gone) void this.#instance.connections.close(connection);
	}

	#discard(connId: string): void {
		this.#instance.log.error({ connId }, "a stored connection has no head; it is deleted");
		this.#instance.connectionRecords.discard(connId);
	}

	#restore(stored: StoredConnection, socket: ActorSocket): void {
		const instance = this.#instance;
		const connection = this.#connection(stored, socket);
		instance.connections.restore(connection, stored.subscriptions);
		const { head, handled } = stored;
		this.#present.push(
			head.kind === "websocket"
				? new EventConnection(instance, socket, connection, head, handled)
				: RawSocketConnection.restore(instance, socket, connection, head, handled),
		);
	}

	#connection(stored: StoredConnection, socket: ActorSocket | null): Connection {
		const instance = this.#instance;
		const { head, id, state } = stored;
		const channel =
			socket && head.kind === "websocket" ? { socket, encoding: head.encoding } : null;
		const connection = new Connection(instance, head.kind, head.params, channel, id);
		const { connState } = instance.config;
		if (state) connection.initState(decodeCbor(state));
		// A definition that got its state after the client came.
		else if (connState !== undefined) connection.initState(structuredClone(connState));
		connection.record = new ConnectionRecord(connection, socket, head);
		instance.connectionRecords.adopt(connection.record, stored);
		connection.phase = "open";
		return connection;
	}
}
