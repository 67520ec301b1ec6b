/** Connection params: plain JSON in a header or a sub-protocol entry (contract 2.1, 3.2). */
import { EncodeError } from "./encode-error.ts";
import { invalidParams } from "./errors/common.ts";
import { utf8Exceeds } from "./utf8.ts";

/** Longest connection params, in UTF-8 bytes of their JSON text. */
export const CONN_PARAMS_BYTES_MAX = 4096;

/** Levels of nesting; the rest of what values may have is for what lies around them where they are kept and shown. */
const LEVELS_MAX = 1_000;

/** JSON text of the params. Throws {@link EncodeError} for what plain JSON cannot carry. */
export function connParamsJson(params: unknown): string {
	let text: string | undefined;
	try {
		text = JSON.stringify(params);
	} catch (error) {
		throw new EncodeError("", `connection params are not JSON: ${String(error)}`);
	}
	if (text === undefined) throw new EncodeError("", `connection params cannot be ${typeof params}`);
	return text;
}

/** The value of the `x-rivet-conn-params` header: JSON with everything outside ASCII escaped. */
export function encodeConnParamsHeader(params: unknown): string {
	return toAscii(connParamsJson(params));
}

/** JSON for a header: with everything outside ASCII escaped. */
export function encodeAsciiJson(value: object): string {
	return toAscii(JSON.stringify(value));
}

function toAscii(json: string): string {
	return json.replace(
		/[\u007f-\uffff]/g,
		(unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

/**
 * Params of a request; `undefined` when there are none. Throws `params.invalid` for text that is not
 * JSON, for params over 4 KiB, and for those nested over 1,000 levels: no encoding could carry them.
 */
export function decodeConnParams(text: string | null | undefined): unknown {
	if (text === null || text === undefined) return undefined;
	let params: unknown;
	try {
		params = JSON.parse(text);
	} catch (error) {
		throw invalidParams(error instanceof Error ? error.message : String(error));
	}
	// Escapes make text longer than what it stands for, so long text is measured as it would be plain.
	if (utf8Exceeds(text, CONN_PARAMS_BYTES_MAX)) {
		if (utf8Exceeds(JSON.stringify(params), CONN_PARAMS_BYTES_MAX)) {
			throw invalidParams(`longer than the limit of ${CONN_PARAMS_BYTES_MAX} bytes`);
		}
	}
	if (text.length > LEVELS_MAX && isDeeperThan(LEVELS_MAX, params)) {
		throw invalidParams(`nested deeper than ${LEVELS_MAX} levels`);
	}
	return params;
}

function isDeeperThan(levels: number, value: unknown): boolean {
	if (typeof value !== "object" || value === null) return false;
	return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member));
}
