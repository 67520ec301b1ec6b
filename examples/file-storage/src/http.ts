import type { ActorKv } from "rivetkit";
import { deleteFile, findFile, listFiles, readFile, type StoredFile, storeFile } from "./files.ts";

/** Bytes of one file. */
const FILE_MAX = 16 * 1024 * 1024;
/** Bytes of all files of a bucket. */
const BUCKET_MAX = 256 * 1024 * 1024;
/** Files of one page of the list. */
const PAGE_MAX = 100;
const NAME = /^[\w][\w. -]{0,199}$/;

class Refusal extends Error {
	readonly status: number;

	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

export async function answer(
	kv: ActorKv,
	bucket: { used: number },
	request: Request,
): Promise<Response> {
	try {
		return await route(kv, bucket, request);
	} catch (error) {
		// What is not ours to explain is the runtime's to log and mask.
		if (!(error instanceof Refusal)) throw error;
		return Response.json({ error: error.message }, { status: error.status });
	}
}

async function route(kv: ActorKv, bucket: { used: number }, request: Request): Promise<Response> {
	const { pathname, searchParams } = new URL(request.url);
	const name = decodeURIComponent(pathname.slice(1));
	if (name === "") {
		const files = await listFiles(kv, searchParams.get("after") ?? "", PAGE_MAX);
		return Response.json({ used: bucket.used, files });
	}
	if (!NAME.test(name)) throw new Refusal(400, "a name has letters, digits, dots, dashes, spaces");
	switch (request.method) {
		case "PUT":
			return upload(kv, bucket, name, request);
		case "GET":
		case "HEAD":
			return download(kv, name, request);
		case "DELETE": {
			const file = await deleteFile(kv, name);
			if (!file) throw new Refusal(404, `there is no ${name}`);
			bucket.used -= file.size;
			return new Response(null, { status: 204 });
		}
		default:
			throw new Refusal(405, "PUT, GET, HEAD or DELETE");
	}
}

async function upload(
	kv: ActorKv,
	bucket: { used: number },
	name: string,
	request: Request,
): Promise<Response> {
	// Told before anything is read, where the client says it.
	const announced = Number(request.headers.get("content-length") ?? 0);
	if (announced > FILE_MAX) throw new Refusal(413, `a file has at most ${FILE_MAX} bytes`);
	const type = request.headers.get("content-type") ?? "application/octet-stream";
	const replaced = await findFile(kv, name);
	let size = 0;
	const file = await storeFile(kv, name, type, request.body, (bytes) => {
		size += bytes;
		if (size > FILE_MAX) throw new Refusal(413, `a file has at most ${FILE_MAX} bytes`);
		if (bucket.used + size > BUCKET_MAX) throw new Refusal(507, "the bucket is full");
	});
	bucket.used += file.size - (replaced?.size ?? 0);
	const { sha256 } = file;
	return Response.json({ name, size: file.size, sha256 }, { status: replaced ? 200 : 201 });
}

async function download(kv: ActorKv, name: string, request: Request): Promise<Response> {
	const file = await findFile(kv, name);
	if (!file) throw new Refusal(404, `there is no ${name}`);
	const etag = `"${file.sha256}"`;
	const headers = new Headers({
		"content-type": file.type,
		"accept-ranges": "bytes",
		etag,
		"last-modified": new Date(file.storedAt).toUTCString(),
		// Somebody's file is nobody's script.
		"content-disposition": "attachment",
		"x-content-type-options": "nosniff",
	});
	if (request.headers.get("if-none-match") === etag)
		return new Response(null, { status: 304, headers });
	const range = rangeOf(request, file, etag);
	if (range === "none") {
		headers.set("content-range", `bytes */${file.size}`);
		return new Response(null, { status: 416, headers });
	}
	const [from, to] = range ?? [0, file.size - 1];
	headers.set("content-length", `${to - from + 1}`);
	if (range) headers.set("content-range", `bytes ${from}-${to}/${file.size}`);
	const body = request.method === "HEAD" ? null : readFile(kv, file, from, to);
	return new Response(body, { status: range ? 206 : 200, headers });
}

/** First and last byte that are asked for; null for all of them, "none" when there are none such. */
function rangeOf(
	request: Request,
	{ size }: StoredFile,
	etag: string,
): [number, number] | null | "none" {
	const header = request.headers.get("range");
	// A client that goes on with a file that has changed meanwhile starts again.
	const condition = request.headers.get("if-range");
	if (header === null || (condition !== null && condition !== etag)) return null;
	const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
	if (first === "" && last === "") return null;
	const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
	const to = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
	return from >= size || from > to ? "none" : [from, to];
}
