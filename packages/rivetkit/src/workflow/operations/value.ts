import { catalogueError, decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { DurableHost } from "../../runtime/durable/durable-host.ts";

/** A value as it is recorded, and as it is handed on: the same on the first run and on every replay. */
export interface Recorded {
	/** CBOR; undefined for `undefined`. */
	readonly bytes: Uint8Array | undefined;
	readonly value: unknown;
}

/** Throws an `EncodeError` or whatever a getter of the value throws. */
export function recordValue(host: DurableHost, value: unknown): Recorded {
	if (value === undefined) return { bytes: undefined, value };
	const bytes = encodeCbor(host.untracked(value));
	return { bytes, value: typeof value === "object" ? decodeCbor(bytes) : value };
}

/** Throws `workflow.entry_too_large`, which code may catch (workflows 7.5). */
export function checkSize({ bytes }: Recorded, path: string, limit: number): void {
	const size = bytes?.byteLength ?? 0;
	if (size > limit) throw catalogueError("workflow.entry_too_large", { path, size, limit });
}

export function readValue(bytes: Uint8Array | undefined): unknown {
	return bytes === undefined ? undefined : decodeCbor(bytes);
}
