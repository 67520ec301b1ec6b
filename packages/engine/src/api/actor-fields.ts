import { catalogueError, decodeBase64 } from "@rivetkit/protocol";
import { isKeyless } from "../directory/keyless.ts";
import { badRequest } from "./engine-calls.ts";

/** Characters of an actor's input as base64 (engine 2.4). */
const INPUT_CHARS_MAX = 1024 * 1024;
/** Bytes of an actor's key (engine 2.4). */
const KEY_BYTES_MAX = 1_024;
const KEY_PREVIEW_CHARS = 64;

/** The key, as it is stored. Throws `actor.empty_key`, `actor.key_too_large`, `api.bad_request`. */
export function readKey(key: string): string {
	if (key === "") {
		throw catalogueError("actor.empty_key");
	}
	if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
		throw catalogueError("actor.key_too_large", {
			max_size: KEY_BYTES_MAX,
			key_preview: key.slice(0, KEY_PREVIEW_CHARS),
		});
	}
	if (/\p{Surrogate}/u.test(key)) {
		throw badRequest("key: not well-formed Unicode");
	}
	if (isKeyless(key)) {
		throw badRequest("key: U+FFFE cannot be its first character");
	}
	return key;
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
