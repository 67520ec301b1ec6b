import { encodeBase64 } from "./base64.ts";
import type { Random } from "./env/random.ts";

/** Where an actor's store has the token of its inspector; {@link KV_KEY_INSPECTOR_TOKEN} in base64. */
export const INSPECTOR_TOKEN_KEY: Uint8Array = Uint8Array.of(3);

const TOKEN_BYTES = 32;

/** A new token as it is stored: UTF-8 of 43 characters of base64url (contract 7.1). */
export function newInspectorToken(random: Random): Uint8Array {
	return new TextEncoder().encode(encodeBase64(random.bytes(TOKEN_BYTES), "url"));
}
