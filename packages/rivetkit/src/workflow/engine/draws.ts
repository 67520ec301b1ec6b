import { createHash } from "node:crypto";
import type { Execution } from "./execution.ts";
import type { Scope } from "./scope.ts";

/** Bytes that are the same on every replay: of actor, epoch, scope and how many were drawn before. */
export function drawBytes({ host, owner }: Execution, scope: Scope): Uint8Array {
	const seed = `${host.actorId}\n${owner.epoch}\n${scope.location.path}\n${scope.draws++}`;
	return createHash("sha256").update(`draw\n${seed}`).digest();
}

/** In [0, 1). */
export function fractionOf(bytes: Uint8Array): number {
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	return (view.getUint32(0) * 2 ** 21 + (view.getUint32(4) >>> 11)) / 2 ** 53;
}

/** A version 4 UUID. */
export function uuidOf(bytes: Uint8Array): string {
	const fixed = bytes.slice(0, 16);
	fixed[6] = (fixed[6]! & 0x0f) | 0x40;
	fixed[8] = (fixed[8]! & 0x3f) | 0x80;
	const hex = [...fixed].map((byte) => byte.toString(16).padStart(2, "0")).join("");
	const at = [0, 8, 12, 16, 20, 32];
	return at
		.slice(1)
		.map((end, index) => hex.slice(at[index], end))
		.join("-");
}
