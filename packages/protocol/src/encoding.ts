import { RivetError } from "./errors/rivet-error.ts";

/** How actor traffic is encoded (contract 1.1). The library's clients default to `bare`. */
export type Encoding = "bare" | "cbor" | "json";

export const ENCODINGS: readonly Encoding[] = ["bare", "cbor", "json"];

/**
 * The encoding a header or sub-protocol entry names; `json` when there is none. Case-sensitive.
 * Throws `encoding.invalid`.
 */
export function parseEncoding(text: string | null | undefined): Encoding {
	if (text === null || text === undefined) return "json";
	if (isEncoding(text)) return text;
	throw new RivetError("encoding", "invalid", `Invalid encoding \`${text}\`.`, { public: true });
}

function isEncoding(text: string): text is Encoding {
	return (ENCODINGS as readonly string[]).includes(text);
}

/** The `Content-Type` of bodies in this encoding. */
export function contentType(encoding: Encoding): "application/json" | "application/octet-stream" {
	return encoding === "json" ? "application/json" : "application/octet-stream";
}
