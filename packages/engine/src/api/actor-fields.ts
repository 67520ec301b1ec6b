import { catalogueError, decodeBase64, parseKey } from "@rivetkit/protocol";
import { badRequest } from "./engine-calls.ts";

/** Characters of an actor's input as base64 (engine 2.4). */
const INPUT_CHARS_MAX = 1024 * 1024;
/** Bytes of an actor's key (engine 2.4). */
const KEY_BYTES_MAX = 1_024;
const KEY_PREVIEW_CHARS = 64;

/** Throws `actor.empty_key` and `actor.key_too_large`. */
export function readKey(key: string): readonly string[] {
	if (key === "") {
		throw catalogueError("actor.empty_key");
	}
	if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
		throw catalogueError("actor.key_too_large", {
			max_size: KEY_BYTES_MAX,
			key_preview: key.slice(0, KEY_PREVIEW_CHARS),
		});
	}
	return parseKey(key);
}

/** Throws `actor.input_too_large`, and `api.bad_request` for what is no base64. */
export function readInput(encoded: string | null | undefined): Uint8Array | null {
	if (encoded == null) {
		return null;
	}
	if (encoded.length > INPUT_CHARS_MAX) {
		throw catalogueError("actor.input_too_large", { max_size: INPUT_CHARS_MAX });
	}
	const input = decodeBase64(encoded);
	if (input === null) {
		throw badRequest("input: not base64");
	}
	return input;
}
