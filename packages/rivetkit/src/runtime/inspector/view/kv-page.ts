import type { KvAnswer, KvEntry } from "@rivetkit/protocol/inspector/answers";
import { bytesOfId, endOfPrefix, idOfText, type KeyId, textOfId } from "../../kv/keys.ts";
import { type HeldValue, storedBytes } from "../../kv/values.ts";
import { invalid } from "../invalid.ts";
import type { ActorView } from "./actor-view.ts";

export interface KvPageRequest {
	readonly prefix: string;
	/** The `next` of the page before; null for the first. */
	readonly after: string | null;
	readonly limit: number;
	readonly reverse: boolean;
}

/** Entries of `c.kv` in the order of their keys. */
export async function listKv(
	view: ActorView,
	{ prefix, after, limit, reverse }: KvPageRequest,
): Promise<KvAnswer> {
	const start = idOfText(prefix);
	const end = start === "" ? null : endOfPrefix(start);
	const cursor = after === null ? null : readCursor(after);
	const range = {
		start: !reverse && cursor !== null ? later(start, `${cursor}\0`) : start,
		end: reverse && cursor !== null ? cursor : end,
	};
	if (limit === 0) return { entries: [], next: null };
	const found = await view.listKv(range, limit + 1, reverse);
	const listed = found.slice(0, limit);
	return {
		entries: listed.map(({ id, value }) => ({ ...keyJson(id), ...valueJson(value) })),
		next: found.length > limit ? writeCursor(listed.at(-1)!.id) : null,
	};
}

function later(a: KeyId, b: KeyId): KeyId {
	return a < b ? b : a;
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function keyJson(id: KeyId): Pick<KvEntry, "key" | "keyBytes"> {
	const key = textOfId(id);
	return idOfText(key) === id ? { key } : { key, keyBytes: bytesOfId(id) };
}

function valueJson(value: HeldValue): Omit<KvEntry, "key" | "keyBytes"> {
	const bytes = storedBytes(value);
	const size = bytes.byteLength;
	try {
		return { value: STRICT.decode(bytes), type: "text", size };
	} catch {
		return { value: bytes, type: "binary", size };
	}
}

/** Keys may be any bytes, so the cursor is their hexadecimal form. */
function writeCursor(id: KeyId): string {
	return Array.from(id, (unit) => unit.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

function readCursor(text: string): KeyId {
	if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw invalid("after is no cursor of a page before");
	return text.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16)));
}
