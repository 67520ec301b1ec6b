import {
	type ActorSocket,
	catalogueError,
	decodeCbor,
	encodeCbor,
	type StorageOp,
} from "@rivetkit/protocol";
import {
	type BatchPart,
	NO_SAVEPOINT,
	type OpenBatch,
	type Savepoint,
} from "../commit/batch-part.ts";
import { encodeStorable } from "../instance/encode-storable.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { Connection } from "./connection.ts";
import {
	deleteConnection,
	encodeHead,
	PART_HANDLED,
	PART_HEAD,
	PART_STATE,
	PART_SUBSCRIPTIONS,
	putPart,
	type StoredConnection,
	type StoredHead,
} from "./connection-layout.ts";

/** Bytes of one connection's encoded state that can be stored: what every backend takes as one value. */
export const CONNECTION_STATE_BYTES_MAX = 128 * 1024;

const HEAD = 1;
const STATE = 2;
const SUBSCRIPTIONS = 4;
const ALL = HEAD | STATE | SUBSCRIPTIONS;

/** One connection between memory and disk. */
export class ConnectionRecord {
	readonly connection: Connection;
	/** The client's socket, held by its gateway; null when the client is gone. */
	readonly socket: ActorSocket | null;
	readonly head: StoredHead;
	/** What has changed since the last batch, and in the batch being committed. */
	changed = 0;
	taken = 0;
	/** Encoded, as committed last and as in the batch being committed; null without a state. */
	committedState: Uint8Array | null = null;
	takenState: Uint8Array | null = null;
	/** Encoded, as it was before `onConnect`; null once a state is committed. */
	admittedState: Uint8Array | null = null;
	/** `onConnect` runs; who has too large a state then is refused when that is done. */
	isOpening = false;
	/** Nothing may be written of it any more, also not for a call that outlasts it. */
	isRemoved = false;
	/** The last message handled, and the one the store knows. */
	handled = 0;
	storedHandled = 0;

	constructor(connection: Connection, socket: ActorSocket | null, head: StoredHead) {
		this.connection = connection;
		this.socket = socket;
		this.head = head;
	}
}

/**
 * The stored form of the connections that outlive the incarnation (lifecycle 9.4): written when they
 * change, in the same commit as everything else. When a commit fails, `conn.state` goes back to what was
 * committed; what the sockets have done since (opened, subscribed, left) is a fact, and is written again.
 */
export class ConnectionRecords implements BatchPart {
	readonly #instance: ActorInstance;
	readonly #changed = new Set<ConnectionRecord>();
	/** Of the batch being committed. */
	#taken: ConnectionRecord[] = [];
	#removed: string[] = [];
	#takenRemoved: string[] = [];
	/** Whose last handled message goes into the next batch, whatever that is cut for. */
	readonly #handled = new Set<ConnectionRecord>();
	#takenHandled: ConnectionRecord[] = [];
	/** Connections that are stored once everything is committed. */
	#count = 0;
	/** What the actor's record says about {@link #count}; undefined when that is not known. */
	#storedConnected: boolean | undefined = false;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** A connection that may be accepted. Throws `connection.state_too_large`. */
	admit(record: ConnectionRecord): void {
		if (record.connection.hasState) record.admittedState = encodeState(record.connection);
	}

	/** A connection that was just accepted. */
	add(record: ConnectionRecord): void {
		this.#count++;
		this.#change(record, ALL);
	}

	/** Its `onConnect` is done. Throws `connection.state_too_large`. */
	opened(record: ConnectionRecord): void {
		if (record.connection.hasState) encodeState(record.connection);
		record.isOpening = false;
	}

	/** One of an earlier incarnation. */
	adopt(record: ConnectionRecord, { state, handled }: StoredConnection): void {
		this.#count++;
		// Whoever stored it may not have known that field.
		this.#storedConnected = undefined;
		record.committedState = state;
		record.handled = handled;
		record.storedHandled = handled;
	}

	/** What is left of a connection that cannot be read. */
	discard(id: string): void {
		this.#storedConnected = undefined;
		this.#removed.push(id);
		this.#instance.committer.markDirty();
	}

	stateChanged(record: ConnectionRecord): void {
		this.#change(record, STATE);
	}

	subscriptionsChanged(record: ConnectionRecord): void {
		this.#change(record, SUBSCRIPTIONS);
	}

	/**
	 * A message was handled. Not worth a commit of its own: whoever crashed before the acknowledgement was
	 * sent gets it again, and what it wrote before is in a commit, together with this.
	 */
	messageHandled(record: ConnectionRecord, index: number): void {
		if (record.isRemoved) return;
		record.handled = index;
		this.#handled.add(record);
	}

	/** The connection is over, `onDisconnect` included. */
	remove(record: ConnectionRecord): void {
		this.#count--;
		record.isRemoved = true;
		record.changed = 0;
		this.#changed.delete(record);
		this.#handled.delete(record);
		this.#removed.push(record.connection.id);
		this.#instance.committer.markDirty();
	}

	/** The removal of a record was rolled back, and what ends its connection has to be done again. */
	keep(record: ConnectionRecord): void {
		const at = this.#removed.indexOf(record.connection.id);
		if (at < 0) return;
		this.#removed.splice(at, 1);
		this.#count++;
		record.isRemoved = false;
	}

	take(batch: OpenBatch): void {
		const { ops } = batch;
		for (const record of this.#changed) {
			this.#taken.push(record);
			this.#takeChanges(record, ops);
		}
		this.#changed.clear();
		for (const id of this.#removed) ops.push(deleteConnection(id));
		this.#takenRemoved = this.#removed;
		this.#removed = [];
		for (const record of this.#handled) {
			const { handled, storedHandled, connection } = record;
			if (handled === storedHandled) continue;
			ops.push(putPart(connection.id, PART_HANDLED, encodeCbor(handled)));
			record.storedHandled = handled;
			this.#takenHandled.push(record);
		}
		this.#handled.clear();
		const isConnected = this.#count > 0;
		if (isConnected !== this.#storedConnected) {
			batch.record = { ...batch.record, connected: isConnected };
			this.#storedConnected = isConnected;
		}
	}

	committed(): void {
		for (const record of this.#taken) {
			if (record.taken & STATE) {
				record.committedState = record.takenState;
				record.admittedState = null;
			}
			record.taken = 0;
			record.takenState = null;
		}
		this.#taken = [];
		this.#takenRemoved = [];
		this.#takenHandled = [];
	}

	rollBack(): void {
		this.#storedConnected = undefined;
		const lost = new Set([...this.#taken, ...this.#changed]);
		for (const record of lost) {
			const wasStored = record.committedState !== null;
			if (wasStored) record.connection.resetState(decodeCbor(record.committedState!));
			if (!record.isRemoved) record.changed |= record.taken;
			// State that went back to what is stored needs no write.
			if (wasStored) record.changed &= ~STATE;
			record.taken = 0;
			record.takenState = null;
			if (record.changed !== 0) this.#changed.add(record);
			else this.#changed.delete(record);
		}
		this.#taken = [];
		this.#removed.unshift(...this.#takenRemoved);
		this.#takenRemoved = [];
		for (const record of this.#takenHandled) {
			record.storedHandled = -1;
			if (!record.isRemoved) this.#handled.add(record);
		}
		this.#takenHandled = [];
		if (this.#changed.size > 0 || this.#removed.length > 0) this.#instance.committer.markDirty();
		this.#instance.writes.saveSoon();
	}

	/** What sockets do is a fact for `c.atomic`, too; `conn.state` is taken back by a journal of its own. */
	savepoint(): Savepoint {
		return NO_SAVEPOINT;
	}

	#change(record: ConnectionRecord, what: number): void {
		if (record.isRemoved) return;
		record.changed |= what;
		this.#changed.add(record);
		const instance = this.#instance;
		instance.committer.markDirty();
		if (!instance.inCall) instance.writes.saveSoon();
	}

	#takeChanges(record: ConnectionRecord, ops: StorageOp[]): void {
		const { connection, changed, head } = record;
		record.taken = changed;
		record.changed = 0;
		if (changed & HEAD) ops.push(putPart(connection.id, PART_HEAD, encodeHead(head)));
		if (changed & STATE && connection.hasState) {
			const bytes = storableState(record);
			record.takenState = bytes;
			if (!isSame(bytes, record.committedState)) {
				ops.push(putPart(connection.id, PART_STATE, bytes));
			}
		}
		if (changed & SUBSCRIPTIONS && (connection.hasSubscriptions || !(changed & HEAD))) {
			const names = [...connection.subscriptions];
			ops.push(putPart(connection.id, PART_SUBSCRIPTIONS, encodeCbor(names)));
		}
	}
}

/**
 * What is stored. Where it is too large, and its connection has left or will be refused for it, the state
 * before: that must not fail the commits of everybody else.
 */
function storableState(record: ConnectionRecord): Uint8Array {
	const { connection, isOpening, committedState, admittedState } = record;
	const before = committedState ?? admittedState;
	const stays = connection.phase === "open" && !isOpening;
	if (stays || before === null) return encodeState(connection);
	const bytes = encodeStorable(connection.rawState, "conn.state");
	return bytes.byteLength > CONNECTION_STATE_BYTES_MAX ? before : bytes;
}

function encodeState(connection: Connection): Uint8Array {
	const bytes = encodeStorable(connection.rawState, "conn.state");
	const size = bytes.byteLength;
	const limit = CONNECTION_STATE_BYTES_MAX;
	if (size > limit) throw catalogueError("connection.state_too_large", { size, limit });
	return bytes;
}

function isSame(a: Uint8Array, b: Uint8Array | null): boolean {
	return b !== null && a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at]);
}
