import { createHash, randomUUID } from "node:crypto";
import type { ActorKv } from "rivetkit";

/** Bytes of a stored chunk; a value of `c.kv` may have twice as many. */
const CHUNK_BYTES = 64 * 1024;

export interface StoredFile {
	/** Of the chunks; a file that replaces another has its own. */
	readonly id: string;
	readonly size: number;
	readonly type: string;
	readonly sha256: string;
	/** Milliseconds since the epoch. */
	readonly storedAt: number;
}

const fileKey = (name: string) => `file:${name}`;
const pendingKey = (id: string) => `pending:${id}`;
const chunkKey = (id: string, index: number) => `chunk:${id}:${`${index}`.padStart(8, "0")}`;

export async function findFile(kv: ActorKv, name: string): Promise<StoredFile | null> {
	const found = await kv.get(fileKey(name));
	return found === null ? null : (JSON.parse(found) as StoredFile);
}

export async function listFiles(
	kv: ActorKv,
	after: string,
	limit: number,
): Promise<(StoredFile & { name: string })[]> {
	const start = after === "" ? undefined : `${fileKey(after)}\0`;
	const entries = await kv.list("file:", { start, limit });
	return entries.map(([key, value]) => ({ name: key.slice("file:".length), ...JSON.parse(value) }));
}

/**
 * Stores what comes, chunk by chunk, as it comes: no more than a chunk is held in memory. The file is there, and what it replaces is gone, when
 * all of it has come. `grow` is told of each chunk before it is stored, and throws to refuse it; whatever goes wrong, nothing is left behind.
 */
export async function storeFile(
	kv: ActorKv,
	name: string,
	type: string,
	body: ReadableStream<Uint8Array> | null,
	grow: (bytes: number) => void,
): Promise<StoredFile> {
	const id = randomUUID();
	const hash = createHash("sha256");
	let size = 0;
	let chunks = 0;
	await kv.put(pendingKey(id), "");
	try {
		for await (const chunk of chunksOf(body)) {
			grow(chunk.byteLength);
			hash.update(chunk);
			size += chunk.byteLength;
			await kv.put(chunkKey(id, chunks++), chunk);
		}
	} catch (error) {
		await deleteChunks(kv, id);
		await kv.delete(pendingKey(id));
		throw error;
	}
	const file = { id, size, type, sha256: hash.digest("hex"), storedAt: Date.now() };
	await deleteFile(kv, name);
	await kv.put(fileKey(name), JSON.stringify(file));
	await kv.delete(pendingKey(id));
	return file;
}

/** Bytes `from` to `to`, both included. Asks for a chunk when the reader wants it. */
export function readFile(
	kv: ActorKv,
	{ id }: StoredFile,
	from: number,
	to: number,
): ReadableStream<Uint8Array> {
	let at = from;
	return new ReadableStream<Uint8Array>({
		async pull(controller) {
			if (at > to) return controller.close();
			const index = Math.floor(at / CHUNK_BYTES);
			const chunk = await kv.get(chunkKey(id, index), { type: "binary" });
			// The reader sees that the file is not whole.
			if (chunk === null) throw new Error("the file was replaced or deleted while it was read");
			const begin = index * CHUNK_BYTES;
			const part = chunk.subarray(at - begin, to + 1 - begin);
			at += part.byteLength;
			controller.enqueue(part);
		},
	});
}

/** The file that was there. */
export async function deleteFile(kv: ActorKv, name: string): Promise<StoredFile | null> {
	const file = await findFile(kv, name);
	if (!file) return null;
	await kv.delete(fileKey(name));
	await deleteChunks(kv, file.id);
	return file;
}

/** Uploads that have not come to their end. */
export async function countPending(kv: ActorKv): Promise<number> {
	return (await kv.list("pending:")).length;
}

/** What uploads left behind that did not come to their end. */
export async function dropPending(kv: ActorKv): Promise<void> {
	for (const [key] of await kv.list("pending:")) {
		await deleteChunks(kv, key.slice("pending:".length));
		await kv.delete(key);
	}
}

async function deleteChunks(kv: ActorKv, id: string): Promise<void> {
	await kv.deleteRange(chunkKey(id, 0), `chunk:${id}:\uffff`);
}

/** The same bytes in chunks of {@link CHUNK_BYTES}, the last one shorter. */
async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
	const chunk = new Uint8Array(CHUNK_BYTES);
	let filled = 0;
	for await (const part of body ?? []) {
		for (let at = 0; at < part.byteLength; ) {
			const taken = Math.min(CHUNK_BYTES - filled, part.byteLength - at);
			chunk.set(part.subarray(at, at + taken), filled);
			filled += taken;
			at += taken;
			if (filled === CHUNK_BYTES) {
				yield chunk.slice();
				filled = 0;
			}
		}
	}
	if (filled > 0) yield chunk.slice(0, filled);
}
