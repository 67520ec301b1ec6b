import { utf8Length } from "@rivetkit/protocol";
import type { KvValueType, KvValueTypes } from "../../actor/kv.types.ts";
import { untracked } from "../state/index.ts";

/** A value in memory. Texts stay texts: most are read as such, and a string needs no copy. */
export type HeldValue = string | Uint8Array;

/** What a key has, with the size of the value in bytes. Value null: nothing. */
export interface Entry {
	readonly value: HeldValue | null;
	readonly size: number;
}

export const NO_ENTRY: Entry = { value: null, size: 0 };

const ENCODER = new TextEncoder();
/** A leading U+FEFF is part of a text; what is not UTF-8 becomes U+FFFD. */
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Throws `TypeError` for a value of another kind than `type` or than `c.kv` stores. Copies bytes. */
export function entryOf(given: unknown, type: KvValueType | undefined): Entry {
	if (typeof given === "string") {
		assertType(type, "text");
		const size = utf8Length(given);
		// Only a text with characters of several bytes can have surrogates.
		const value = size === given.length ? given : wellFormed(given);
		return { value, size };
	}
	const bytes = untracked(given);
	if (isUint8Array(bytes)) {
		assertType(type, "binary");
		return { value: new Uint8Array(bytes), size: bytes.byteLength };
	}
	if (isArrayBuffer(bytes)) {
		assertType(type, "arrayBuffer");
		return { value: new Uint8Array(bytes.slice(0)), size: bytes.byteLength };
	}
	throw new TypeError(
		`A value of c.kv is a string, a Uint8Array or an ArrayBuffer, not ${describe(given)}. Store other values as text: JSON.stringify(value)`,
	);
}

/**
 * A value as the caller asked for it. `isOwned`: nobody else holds the bytes, so that they may be handed
 * out as they are.
 */
export function readAs<T extends KvValueType>(
	value: HeldValue,
	type: T,
	isOwned: boolean,
): KvValueTypes[T];
export function readAs(
	value: HeldValue,
	type: KvValueType,
	isOwned: boolean,
): KvValueTypes[KvValueType] {
	switch (type) {
		case "text":
			return typeof value === "string" ? value : DECODER.decode(value);
		case "binary":
			return ownBytes(value, isOwned);
		case "arrayBuffer": {
			const bytes = ownBytes(value, isOwned);
			const { buffer } = bytes;
			const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
			return isWhole ? buffer : new Uint8Array(bytes).buffer;
		}
	}
}

/** The bytes that are stored. They must not be changed. */
export function storedBytes(value: HeldValue): Uint8Array {
	return typeof value === "string" ? ENCODER.encode(value) : value;
}

/** Bytes that a value takes when it is stored. */
export function sizeOf(value: HeldValue): number {
	return typeof value === "string" ? utf8Length(value) : value.byteLength;
}

export function isUint8Array(value: unknown): value is Uint8Array {
	if (value instanceof Uint8Array) return true;
	// One of another realm.
	return ArrayBuffer.isView(value) && tagOf(value) === "[object Uint8Array]";
}

export function describe(value: unknown): string {
	if (value === null || value === undefined) return String(value);
	if (typeof value !== "object") return `a ${typeof value}`;
	return tagOf(value).slice("[object ".length, -1);
}

function ownBytes(value: HeldValue, isOwned: boolean): Uint8Array {
	if (typeof value === "string") return ENCODER.encode(value);
	return isOwned ? value : new Uint8Array(value);
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
	return value instanceof ArrayBuffer || tagOf(value) === "[object ArrayBuffer]";
}

function assertType(type: KvValueType | undefined, actual: KvValueType): void {
	if (type === undefined || type === actual) return;
	throw new TypeError(`type is "${type}", but the value is ${NAMES[actual]}`);
}

const NAMES: Readonly<Record<KvValueType, string>> = {
	text: "a string",
	binary: "a Uint8Array",
	arrayBuffer: "an ArrayBuffer",
};

function wellFormed(text: string): string {
	return /\p{Surrogate}/u.test(text) ? DECODER.decode(ENCODER.encode(text)) : text;
}

function tagOf(value: unknown): string {
	return Object.prototype.toString.call(value);
}
