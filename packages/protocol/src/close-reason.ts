/** Reasons of WebSocket closes (contract 3.7). */
import { utf8Exceeds, utf8Length } from "./utf8.ts";

/** Longest close reason RFC 6455 allows, in UTF-8 bytes. */
export const CLOSE_REASON_BYTES_MAX = 123;

/** Cuts a reason to 123 UTF-8 bytes, on a character boundary. */
export function truncateCloseReason(text: string): string {
	if (!utf8Exceeds(text, CLOSE_REASON_BYTES_MAX)) return text;
	let bytes = 0;
	let kept = "";
	for (const char of text) {
		bytes += utf8Length(char);
		if (bytes > CLOSE_REASON_BYTES_MAX) break;
		kept += char;
	}
	return kept;
}

/** The reason `group.code` or `group.code#rayId`; `null` when the text is something else. */
export function parseCloseReason(
	text: string,
): { group: string; code: string; rayId?: string } | null {
	const hash = text.indexOf("#");
	const [group, code] = (hash < 0 ? text : text.slice(0, hash)).split(".");
	if (!group || !code) return null;
	return hash < 0 ? { group, code } : { group, code, rayId: text.slice(hash + 1) };
}
