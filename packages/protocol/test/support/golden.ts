import { readFileSync } from "node:fs";
import type { Encoding } from "../../src/index.ts";
import * as protocol from "../../src/index.ts";
import { fromHex } from "./hex.ts";

export type MessageType =
	| "ToServer"
	| "ToClient"
	| "HttpActionRequest"
	| "HttpActionResponse"
	| "HttpQueueSendRequest"
	| "HttpQueueSendResponse"
	| "HttpResponseError";

export interface GoldenMessage {
	readonly name: string;
	readonly type: MessageType;
	readonly message: object;
	readonly bare?: string;
	readonly cbor?: string;
	readonly json?: string;
	readonly accepted?: Partial<Record<Encoding, string[]>>;
}

export interface GoldenValue {
	readonly name: string;
	readonly cbor: string;
	readonly json: string;
}

export interface GoldenKeys {
	readonly exact: { readonly key: string[]; readonly text: string }[];
	readonly lenient: { readonly key: string[]; readonly text: string }[];
}

export interface GoldenGatewayPaths {
	readonly paths: {
		readonly path: string;
		readonly actorId: string;
		readonly token: string | null;
		readonly forward: string;
	}[];
	readonly others: string[];
}

export interface GoldenEndpoints {
	readonly parsed: {
		readonly input: string;
		readonly endpoint: string;
		readonly namespace?: string;
		readonly token?: string;
	}[];
	readonly refused: { readonly input: string; readonly message: string }[];
}

function load<T>(name: string): T {
	return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8")) as T;
}

export const goldenMessages = () => load<GoldenMessage[]>("messages");
export const goldenValues = () => load<GoldenValue[]>("values");
export const goldenKeys = () => load<GoldenKeys>("keys");
export const goldenGatewayPaths = () => load<GoldenGatewayPaths>("gateway-paths");
export const goldenEndpoints = () => load<GoldenEndpoints>("endpoints");

export type Wire = string | Uint8Array;

interface Codec {
	readonly encode: (encoding: Encoding, message: unknown) => Wire;
	readonly decode: (encoding: Encoding, data: Wire) => unknown;
}

export const CODECS: Readonly<Record<MessageType, Codec>> = {
	ToServer: codec(protocol.encodeToServer, protocol.decodeToServer),
	ToClient: codec(protocol.encodeToClient, protocol.decodeToClient),
	HttpActionRequest: codec(protocol.encodeHttpActionRequest, protocol.decodeHttpActionRequest),
	HttpActionResponse: codec(protocol.encodeHttpActionResponse, protocol.decodeHttpActionResponse),
	HttpQueueSendRequest: codec(
		protocol.encodeHttpQueueSendRequest,
		protocol.decodeHttpQueueSendRequest,
	),
	HttpQueueSendResponse: codec(
		protocol.encodeHttpQueueSendResponse,
		protocol.decodeHttpQueueSendResponse,
	),
	HttpResponseError: codec(protocol.encodeHttpResponseError, protocol.decodeHttpResponseError),
};

/** One codec as a function of anything: the tables are data, their messages have no static type. */
function codec<M>(
	encode: (encoding: Encoding, message: M) => Wire,
	decode: (encoding: Encoding, data: Wire) => unknown,
): Codec {
	return { encode: (encoding, message) => encode(encoding, message as M), decode };
}

/** What a row says of an encoding, as it goes over the wire. */
export function wire(encoding: Encoding, text: string): Wire {
	return encoding === "json" ? text : fromHex(text);
}

/** Text or hex, to be compared. */
export function shown(data: Wire): string {
	return typeof data === "string" ? data : Buffer.from(data).toString("hex");
}
