import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { type ActorContextOf, actor, setup, type UniversalWebSocket } from "rivetkit";
import { db } from "rivetkit/db";
import {
	Awareness,
	applyAwarenessUpdate,
	encodeAwarenessUpdate,
	removeAwarenessStates,
} from "y-protocols/awareness";
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync";
import * as Y from "yjs";

/** First number of each message, as in the protocol of `y-websocket`. */
const SYNC = 0;
const AWARENESS = 1;

/** Increments until they are put together into one snapshot. */
const INCREMENTS_MAX = 200;
/** Bytes of a stored document. */
const DOCUMENT_MAX = 8 * 1024 * 1024;

const document = actor({
	options: { name: "Document", icon: "file-lines" },
	db: db({
		onMigrate: async (db) => {
			// The first row is the snapshot, the others are what came after it.
			await db.execute(
				"CREATE TABLE IF NOT EXISTS updates (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
			);
		},
	}),
	createVars: () => {
		const doc = new Y.Doc();
		const awareness = new Awareness(doc);
		awareness.setLocalState(null);
		/** The clients whose cursors each socket brought. */
		const sockets = new Map<UniversalWebSocket, Set<number>>();
		return { doc, awareness, sockets, size: 0, increments: 0 };
	},
	onWake: async (c) => {
		const { doc, awareness } = c.vars;
		const rows = await c.db.execute<{ data: Uint8Array }>("SELECT data FROM updates ORDER BY id");
		doc.transact(() => {
			for (const { data } of rows) Y.applyUpdate(doc, data);
		});
		c.vars.size = rows.reduce((sum, { data }) => sum + data.byteLength, 0);
		c.vars.increments = rows.length;
		doc.on("update", (update: Uint8Array, from: UniversalWebSocket) =>
			c.waitUntil(keep(c, update, from)),
		);
		awareness.on("update", (change: AwarenessChange, from: UniversalWebSocket | null) =>
			showCursors(c, change, from),
		);
	},
	onSleep: (c) => c.vars.awareness.destroy(),
	onWebSocket: (c, socket) => {
		const { doc, awareness, sockets } = c.vars;
		sockets.set(socket, new Set());
		socket.addEventListener("message", ({ data }) => {
			if (typeof data === "string") return socket.close(1003, "binary messages only");
			if (c.vars.size + data.byteLength > DOCUMENT_MAX) {
				return socket.close(1009, `a document has at most ${DOCUMENT_MAX} bytes`);
			}
			const decoder = decoding.createDecoder(new Uint8Array(data));
			const type = decoding.readVarUint(decoder);
			if (type === SYNC) {
				const answer = message(SYNC);
				readSyncMessage(decoder, answer, doc, socket, (error) => {
					throw error;
				});
				// More than its type: what this client lacks.
				if (encoding.length(answer) > 1) socket.send(encoding.toUint8Array(answer));
			} else if (type === AWARENESS) {
				applyAwarenessUpdate(awareness, decoding.readVarUint8Array(decoder), socket);
			}
		});
		socket.addEventListener("close", () => {
			const clients = sockets.get(socket) ?? [];
			sockets.delete(socket);
			removeAwarenessStates(awareness, [...clients], null);
		});

		const question = message(SYNC);
		writeSyncStep1(question, doc);
		socket.send(encoding.toUint8Array(question));
		const present = [...awareness.getStates().keys()];
		if (present.length > 0) socket.send(cursorsOf(awareness, present));
	},
	actions: {
		text: (c) => c.vars.doc.getText("text").toString(),
		stored: (c) => ({ rows: c.vars.increments, bytes: c.vars.size }),
	},
});

type Context = ActorContextOf<typeof document>;

interface AwarenessChange {
	readonly added: number[];
	readonly updated: number[];
	readonly removed: number[];
}

/** The others get a change after it is stored: what is sent waits for what was written before. */
async function keep(c: Context, update: Uint8Array, from: UniversalWebSocket): Promise<void> {
	c.vars.size += update.byteLength;
	c.vars.increments += 1;
	await c.db.execute("INSERT INTO updates (data) VALUES (?)", update);
	if (c.vars.increments > INCREMENTS_MAX) await compact(c);
	const change = message(SYNC);
	writeUpdate(change, update);
	broadcast(c, encoding.toUint8Array(change), from);
}

async function compact(c: Context): Promise<void> {
	await c.db.transaction(async (tx) => {
		const snapshot = Y.encodeStateAsUpdate(c.vars.doc);
		c.vars.size = snapshot.byteLength;
		c.vars.increments = 1;
		await tx.execute("DELETE FROM updates");
		await tx.execute("INSERT INTO updates (data) VALUES (?)", snapshot);
	});
}

function showCursors(
	c: Context,
	{ added, updated, removed }: AwarenessChange,
	from: UniversalWebSocket | null,
): void {
	const clients = from && c.vars.sockets.get(from);
	for (const id of added) clients?.add(id);
	for (const id of removed) clients?.delete(id);
	broadcast(c, cursorsOf(c.vars.awareness, [...added, ...updated, ...removed]), from);
}

function broadcast(c: Context, data: Uint8Array, from: UniversalWebSocket | null): void {
	for (const socket of c.vars.sockets.keys()) if (socket !== from) socket.send(data);
}

function message(type: number): encoding.Encoder {
	const encoder = encoding.createEncoder();
	encoding.writeVarUint(encoder, type);
	return encoder;
}

function cursorsOf(awareness: Awareness, clients: number[]): Uint8Array {
	const encoder = message(AWARENESS);
	encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(awareness, clients));
	return encoding.toUint8Array(encoder);
}

export const registry = setup({
	use: { document },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
