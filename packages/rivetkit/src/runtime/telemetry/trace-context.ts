import { type HeadersView, TRACEPARENT } from "@rivetkit/protocol";

/** Where a span comes from, as W3C trace context says it in `traceparent`. */
export interface RemoteParent {
	/** 32 hexadecimal digits. */
	readonly traceId: string;
	/** 16 hexadecimal digits. */
	readonly spanId: string;
	/** Bit 0: whether the caller records. */
	readonly flags: number;
}

const SYNTAX = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Null for what is not there or is not valid: the trace then begins here, as the standard has it. */
export function parseTraceparent(text: string | null | undefined): RemoteParent | null {
	if (!text) return null;
	// Of several, which are joined by commas, the last was added nearest to the call.
	const value = text.slice(text.lastIndexOf(",") + 1).trim();
	const match = SYNTAX.exec(value);
	if (!match) return null;
	const [, version, traceId, spanId, flags] = match as unknown as [
		string,
		string,
		string,
		string,
		string,
	];
	// What follows the flags is for versions that are not known yet.
	if (version === "ff" || (version === "00" && value.length !== 55)) return null;
	if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
	return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

export function formatTraceparent({ traceId, spanId, flags }: RemoteParent): string {
	return `00-${traceId}-${spanId}-${(flags & 0xff).toString(16).padStart(2, "0")}`;
}

/**
 * Where a request says that it comes from, read when a span asks for it: of most calls none is recorded, and
 * reading takes longer than all else that is done for one of those.
 */
export class RequestCaller {
	readonly #headers: HeadersView;

	constructor(headers: HeadersView) {
		this.#headers = headers;
	}

	/** Null for nowhere. */
	read(): RemoteParent | null {
		return parseTraceparent(this.#headers.get(TRACEPARENT));
	}
}
