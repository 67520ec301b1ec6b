import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { plainJson } from "./plain-json.ts";

/** How values of users are shown; they are stored as CBOR. */
export interface ValueForms {
	/** One that was stored; undefined for `undefined`. */
	of(bytes: Uint8Array | undefined): unknown;
	/** One inside of a value that is {@link made}. */
	inner(bytes: Uint8Array): unknown;
	made(value: unknown): unknown;
}

/** Plain JSON (workflows 11.2). */
export const PLAIN: ValueForms = {
	of: (bytes) => (bytes === undefined ? null : plainJson(decodeCbor(bytes))),
	inner: (bytes) => plainJson(decodeCbor(bytes)),
	made: (value) => value,
};

/** As they are. */
export const EXACT: ValueForms = {
	of: (bytes) => (bytes === undefined ? null : decodeCbor(bytes)),
	inner: decodeCbor,
	made: (value) => value,
};

/** One CBOR item each, for the inspector's socket. */
export const ENCODED: ValueForms = {
	of: (bytes) => bytes ?? null,
	inner: decodeCbor,
	made: encodeCbor,
};
