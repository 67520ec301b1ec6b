/** What a WebSocket upgrade says in `Sec-WebSocket-Protocol` (contract 3.2). */
import { connParamsJson, decodeConnParams } from "./conn-params.ts";
import { type Encoding, parseEncoding } from "./encoding.ts";
import { invalidParams, invalidRequest } from "./errors/common.ts";
import { RivetError } from "./errors/rivet-error.ts";
import {
	RESUME_NEW,
	SUBPROTOCOL_ACTOR,
	SUBPROTOCOL_CONN_PARAMS,
	SUBPROTOCOL_ENCODING,
	SUBPROTOCOL_INSPECTOR_TOKEN,
	SUBPROTOCOL_RESUME,
	SUBPROTOCOL_RIVET,
	SUBPROTOCOL_SESSION,
	SUBPROTOCOL_TARGET,
	SUBPROTOCOL_TOKEN,
	SUBPROTOCOL_TRACEPARENT,
	TARGET_ACTOR,
} from "./names.ts";

/** What a client had when its last socket broke; `null` for the connection on its first socket. */
export interface ResumePoint {
	readonly connectionId: string | null;
	/** Frames that came over that connection's socket, Init included. */
	readonly received: number;
}

/** The entries of one upgrade. What was not offered is `null`, absent params are `undefined`. */
export interface Subprotocols {
	/** Whether the marker `rivet` was offered. */
	readonly rivet: boolean;
	/** Default `json`. */
	readonly encoding: Encoding;
	readonly connParams: unknown;
	readonly token: string | null;
	readonly target: string | null;
	readonly actorId: string | null;
	readonly inspectorToken: string | null;
	/** Id of the client session (ours). */
	readonly session: string | null;
	/** Where a client that counts its frames wants to go on (ours). */
	readonly resume: ResumePoint | null;
	/** Where in a trace the client is, as it says (ours). */
	readonly traceparent: string | null;
	/** Every entry, trimmed, in order. */
	readonly offered: readonly string[];
	/**
	 * What is wrong with the entries (`encoding.invalid`, `params.invalid`, `request.invalid`): to be
	 * told by a close, since browsers cannot read a failed upgrade. `null` when all is well.
	 */
	readonly error: RivetError | null;
}

/** Reads the header's text or its entries. Of a repeated entry the last one counts. Never throws. */
export function parseSubprotocols(
	header: string | readonly string[] | null | undefined,
): Subprotocols {
	const texts = typeof header === "string" ? [header] : (header ?? []);
	const offered = texts
		.flatMap((text) => text.split(","))
		.map((entry) => entry.trim())
		.filter((entry) => entry !== "");
	const last = (prefix: string): string | null => {
		const entry = offered.findLast((candidate) => candidate.startsWith(prefix));
		return entry === undefined ? null : entry.slice(prefix.length);
	};

	let error: RivetError | null = null;
	const reading = <T>(read: () => T, otherwise: T): T => {
		try {
			return read();
		} catch (thrown) {
			if (!(thrown instanceof RivetError)) throw thrown;
			error ??= thrown;
			return otherwise;
		}
	};
	return {
		rivet: offered.includes(SUBPROTOCOL_RIVET),
		encoding: reading(() => parseEncoding(last(SUBPROTOCOL_ENCODING)), "json"),
		connParams: reading(() => readConnParams(last(SUBPROTOCOL_CONN_PARAMS)), undefined),
		token: last(SUBPROTOCOL_TOKEN),
		target: last(SUBPROTOCOL_TARGET),
		actorId: reading(() => readActorId(last(SUBPROTOCOL_ACTOR)), null),
		inspectorToken: last(SUBPROTOCOL_INSPECTOR_TOKEN),
		session: last(SUBPROTOCOL_SESSION),
		resume: readResumePoint(last(SUBPROTOCOL_RESUME)),
		traceparent: last(SUBPROTOCOL_TRACEPARENT),
		offered,
		error,
	};
}

function readConnParams(text: string | null): unknown {
	if (text === null) return undefined;
	const json = percentDecode(text);
	if (json === null) throw invalidParams("invalid percent-encoding");
	return decodeConnParams(json);
}

function readActorId(text: string | null): string | null {
	if (text === null) return null;
	const actorId = percentDecode(text);
	if (actorId === null) throw invalidRequest("the actor id has invalid percent-encoding");
	return actorId;
}

/** A point that makes no sense is none of the server's: the client is told that it missed events. */
function readResumePoint(text: string | null): ResumePoint | null {
	if (text === null) return null;
	if (text === RESUME_NEW) return { connectionId: null, received: 0 };
	const [connectionId = "", received = ""] = text.split(".");
	return { connectionId, received: /^\d{1,15}$/.test(received) ? Number(received) : 0 };
}

function percentDecode(text: string): string | null {
	try {
		return decodeURIComponent(text);
	} catch {
		return null;
	}
}

/** What to offer. Absent fields are left out; params are sent unless `undefined`. */
export interface SubprotocolOffer {
	readonly encoding?: Encoding;
	readonly connParams?: unknown;
	/** Only of characters that sub-protocols can carry: letters, digits, `-`, `_`. */
	readonly session?: string;
	/** {@link RESUME_NEW}, or `<connection id>.<frames received>`. */
	readonly resume?: string;
	/** As in the header of this name. */
	readonly traceparent?: string | undefined;
	/** The user's own entries and those of {@link routingSubprotocols}, behind the others. */
	readonly extra?: readonly string[];
}

/** The entries to open a socket with, `rivet` first. Throws `EncodeError` for params that are not JSON. */
export function buildSubprotocols(offer: SubprotocolOffer): string[] {
	const entries = [SUBPROTOCOL_RIVET];
	if (offer.encoding !== undefined) entries.push(SUBPROTOCOL_ENCODING + offer.encoding);
	if (offer.connParams !== undefined) {
		entries.push(SUBPROTOCOL_CONN_PARAMS + percentEncode(connParamsJson(offer.connParams)));
	}
	if (offer.session !== undefined) entries.push(SUBPROTOCOL_SESSION + offer.session);
	if (offer.resume !== undefined) entries.push(SUBPROTOCOL_RESUME + offer.resume);
	if (offer.traceparent) entries.push(SUBPROTOCOL_TRACEPARENT + offer.traceparent);
	return entries.concat(offer.extra ?? []);
}

/** Where to go and by what right, for what a path does not say. Absent fields are left out. */
export interface SubprotocolRoute {
	readonly token?: string;
	/** Routes by sub-protocol instead of by path (4.4). */
	readonly actorId?: string;
	readonly inspectorToken?: string;
}

/**
 * Entries for `extra` of {@link buildSubprotocols}; apart from it because clients route by path. Throws
 * `TypeError` for a token that is not legal in a sub-protocol.
 */
export function routingSubprotocols(route: SubprotocolRoute): string[] {
	const entries: string[] = [];
	if (route.token !== undefined) entries.push(SUBPROTOCOL_TOKEN + legal("token", route.token));
	if (route.actorId !== undefined) {
		entries.push(SUBPROTOCOL_TARGET + TARGET_ACTOR);
		entries.push(SUBPROTOCOL_ACTOR + percentEncode(route.actorId));
	}
	if (route.inspectorToken !== undefined) {
		entries.push(SUBPROTOCOL_INSPECTOR_TOKEN + legal("inspector token", route.inspectorToken));
	}
	return entries;
}

/** Parentheses are illegal in sub-protocols, yet the usual function leaves them alone. */
function percentEncode(text: string): string {
	return encodeURIComponent(text).replaceAll("(", "%28").replaceAll(")", "%29");
}

function legal(what: string, text: string): string {
	if (/^[\w!#$%&'*+.^`|~-]+$/.test(text)) return text;
	throw new TypeError(`The ${what} has characters that a WebSocket sub-protocol cannot carry`);
}

/** The entry a server answers with: `rivet` if offered, else the first one, else none (`null`). */
export function selectSubprotocol(offered: readonly string[]): string | null {
	return offered.includes(SUBPROTOCOL_RIVET) ? SUBPROTOCOL_RIVET : (offered[0] ?? null);
}
