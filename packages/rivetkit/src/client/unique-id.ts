import { encodeBase64, type Random } from "@rivetkit/protocol";

const BYTES = 18;

/**
 * What nobody else has, in 24 characters that headers and sub-protocols can carry. No UUID: browsers give
 * those to secure pages only, and a page from another machine's `http:` address is none.
 */
export function uniqueId(random: Random): string {
	return encodeBase64(random.bytes(BYTES), "url");
}
