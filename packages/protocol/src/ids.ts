/** Ids of actors, namespaces, runners and rays (engine contract 1). */
import type { Random } from "./env/random.ts";

const VERSION = 1;
const BYTES = 19;
const TEXT_LENGTH = 30;

/** What an id is made of. */
export interface ActorIdParts {
	/** 16 bytes as 32 hex digits. */
	readonly uuid: string;
	/** Number of the datacenter that made it, 0 to 65535. */
	readonly datacenterLabel: number;
}

/**
 * A new id: 30 lower-case base-36 digits, unique per creation. It carries the label of the datacenter
 * where the actor lives.
 */
export function newActorId(random: Random, datacenterLabel = 1): string {
	return formatActorId({ uuid: random.uuid().replaceAll("-", ""), datacenterLabel });
}

/** Text of the 19 bytes (version 1, uuid, label) as a little-endian number, least digit first. */
export function formatActorId({ uuid, datacenterLabel }: ActorIdParts): string {
	const label = datacenterLabel.toString(16).padStart(4, "0");
	const hex = `0${VERSION}${uuid}${label}`;
	if (!/^[0-9a-f]{38}$/.test(hex)) throw new RangeError("an id has 16 bytes and a 16-bit label");
	return reverse(BigInt(`0x${reverseBytes(hex)}`).toString(36)).padEnd(TEXT_LENGTH, "0");
}

/** The parts of an id, upper or lower case; `null` when the text is not one. */
export function parseActorId(text: string): ActorIdParts | null {
	if (!/^[0-9a-z]{30}$/i.test(text)) return null;
	let value = 0n;
	for (let i = TEXT_LENGTH - 1; i >= 0; i--) {
		value = value * 36n + BigInt(Number.parseInt(text[i] as string, 36));
	}
	const hex = value.toString(16).padStart(BYTES * 2, "0");
	if (hex.length > BYTES * 2) return null;
	const bytes = reverseBytes(hex);
	if (Number.parseInt(bytes.slice(0, 2), 16) !== VERSION) return null;
	return { uuid: bytes.slice(2, 34), datacenterLabel: Number.parseInt(bytes.slice(34), 16) };
}

function reverse(text: string): string {
	let reversed = "";
	for (let at = text.length - 1; at >= 0; at--) reversed += text[at];
	return reversed;
}

function reverseBytes(hex: string): string {
	let reversed = "";
	for (let at = hex.length - 2; at >= 0; at -= 2) reversed += hex.slice(at, at + 2);
	return reversed;
}
