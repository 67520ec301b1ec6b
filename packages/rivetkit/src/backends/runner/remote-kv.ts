import { catalogueError } from "@rivetkit/protocol";
import {
	type KvRequestData,
	type KvResponseData,
	RUNNER_KV_KEYS_MAX,
} from "@rivetkit/protocol/runner";
import { FencedOff } from "../backend.ts";
import { compareKeys, type Entry, justAfter, type KeyRange } from "./storage-plan.ts";

/** Entries of the first page of a list; the next ones as many as come to about {@link PAGE_BYTES}. */
const FIRST_PAGE = 128;
const PAGE_BYTES = 4 * 1024 * 1024;
const PAGE_MAX = 16_384;

/** The engine's store of one actor, as the runner protocol has it. */
export interface RemoteKv {
	readonly actorId: string;
	/** Version 7 of the protocol; for others a range is read and its keys are deleted. */
	readonly deletesRanges: boolean;
	request(data: KvRequestData): Promise<KvResponseData>;
}

export async function getEntries(
	kv: RemoteKv,
	keys: readonly Uint8Array[],
): Promise<[Uint8Array, Uint8Array][]> {
	if (keys.length === 0) return [];
	const answer = await ask(kv, { tag: "KvGetRequest", val: { keys } });
	if (answer.tag !== "KvGetResponse") throw unexpected(answer);
	return answer.val.keys.map((key, index) => [key, new Uint8Array(answer.val.values[index]!)]);
}

/** All entries of a range, page by page. */
export async function listEntries(
	kv: RemoteKv,
	{
		start,
		end,
		limit = Number.POSITIVE_INFINITY,
		reverse = false,
	}: KeyRange & { readonly limit?: number; readonly reverse?: boolean },
): Promise<[Uint8Array, Uint8Array][]> {
	const entries: [Uint8Array, Uint8Array][] = [];
	let rest: KeyRange = { start, end };
	let page = FIRST_PAGE;
	let bytes = 0;
	while (entries.length < limit && compareKeys(rest.start, rest.end) < 0) {
		const wanted = Math.min(page, limit - entries.length);
		const answer = await ask(kv, {
			tag: "KvListRequest",
			val: {
				query: { tag: "KvListRange", val: { ...rest, exclusive: true } },
				reverse,
				limit: wanted,
			},
		});
		if (answer.tag !== "KvListResponse") throw unexpected(answer);
		const { keys, values } = answer.val;
		for (const [index, key] of keys.entries()) {
			const value = values[index]!;
			bytes += key.byteLength + value.byteLength;
			entries.push([new Uint8Array(key), new Uint8Array(value)]);
		}
		if (keys.length < wanted) break;
		const last = keys[keys.length - 1]!;
		rest = reverse
			? { start: rest.start, end: new Uint8Array(last) }
			: { start: justAfter(last), end: rest.end };
		const average = Math.max(1, bytes / entries.length);
		page = Math.min(PAGE_MAX, Math.max(FIRST_PAGE, Math.floor(PAGE_BYTES / average)));
	}
	return entries;
}

/** Atomic: all of them, or none. */
export function putEntries(kv: RemoteKv, entries: readonly Entry[]): Promise<void> {
	return done(kv, {
		tag: "KvPutRequest",
		val: { keys: entries.map(({ key }) => key), values: entries.map(({ value }) => value) },
	});
}

/** Atomic, as {@link putEntries}. */
export function deleteKeys(kv: RemoteKv, keys: readonly Uint8Array[]): Promise<void> {
	return done(kv, { tag: "KvDeleteRequest", val: { keys } });
}

export async function deleteRange(kv: RemoteKv, range: KeyRange): Promise<void> {
	if (kv.deletesRanges) {
		await done(kv, { tag: "KvDeleteRangeRequest", val: range });
		return;
	}
	for (;;) {
		const entries = await listEntries(kv, { ...range, limit: RUNNER_KV_KEYS_MAX });
		if (entries.length > 0) {
			await deleteKeys(
				kv,
				entries.map(([key]) => key),
			);
		}
		if (entries.length < RUNNER_KV_KEYS_MAX) return;
	}
}

/** Deletes everything. */
export function drop(kv: RemoteKv): Promise<void> {
	return done(kv, { tag: "KvDropRequest", val: undefined });
}

async function done(kv: RemoteKv, data: KvRequestData): Promise<void> {
	await ask(kv, data);
}

async function ask(kv: RemoteKv, data: KvRequestData): Promise<KvResponseData> {
	const answer = await kv.request(data);
	if (answer.tag !== "KvErrorResponse") return answer;
	const { message } = answer.val;
	if (message.startsWith("kv.not_owner")) {
		throw new FencedOff(kv.actorId, { cause: new Error(message) });
	}
	throw catalogueError("actor.internal_error", {
		message: `The engine's store refused a ${data.tag}: ${message}`,
	});
}

function unexpected({ tag }: KvResponseData): Error {
	return catalogueError("actor.internal_error", {
		message: `The engine's store answered with a ${tag}`,
	});
}
