import type { StorageBatch, StorageOp } from "@rivetkit/protocol";
import type { ActorBackend, Incarnation } from "../backends/backend.ts";

export function utf8(text: string): Uint8Array {
	return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array | null | undefined): string | null {
	return bytes ? new TextDecoder().decode(bytes) : null;
}

export function put(key: string, value: string): StorageOp {
	return { op: "put", key: utf8(key), value: utf8(value) };
}

/** A batch that puts these entries. */
export function puts(
	entries: Readonly<Record<string, string>>,
	rest: Omit<StorageBatch, "ops"> = {},
): StorageBatch {
	return { ops: Object.entries(entries).map(([key, value]) => put(key, value)), ...rest };
}

export const EVERYTHING: { readonly start: Uint8Array; readonly end: null } = {
	start: new Uint8Array(0),
	end: null,
};

/** All that is stored for an actor, as text. */
export async function contents(
	backend: ActorBackend,
	actor: Incarnation,
): Promise<Record<string, string>> {
	const entries = await backend.scan(actor, EVERYTHING);
	return Object.fromEntries(entries.map(([key, value]) => [textOf(key)!, textOf(value)!]));
}
