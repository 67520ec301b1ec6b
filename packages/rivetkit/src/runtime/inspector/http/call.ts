import { type ActorRequest, decodeCbor } from "@rivetkit/protocol";
import type { ValueForm } from "../../durable/durable-view.ts";
import { invalid } from "../invalid.ts";

/** Bytes of one request body to an inspector: room for a state of `options.maxStateSize` at its default. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;

/** One request to an inspector route. */
export class InspectorCall {
	/** What the path has in place of the route's `{…}`, decoded. */
	readonly parameters: readonly string[];
	readonly query: URLSearchParams;
	readonly request: ActorRequest;

	constructor(request: ActorRequest, parameters: readonly string[], query: URLSearchParams) {
		this.request = request;
		this.parameters = parameters;
		this.query = query;
	}

	/**
	 * The members of the body: plain JSON, or CBOR when the content type says so; none when it is empty. Throws
	 * `request.invalid` for anything but an object.
	 */
	async body(): Promise<Readonly<Record<string, unknown>>> {
		const bytes = await this.request.body.bytes(BODY_BYTES_MAX);
		if (bytes.byteLength === 0) return {};
		const type = this.request.headers.get("content-type") ?? "";
		const value = isCbor(type) ? decodeCbor(bytes) : parseJson(bytes);
		if (typeof value === "object" && value !== null && !Array.isArray(value)) {
			return value as Readonly<Record<string, unknown>>;
		}
		throw invalid("the body must be an object");
	}

	/** A whole number of the query. Throws `request.invalid` for anything else. */
	number(name: string, { otherwise, max }: { otherwise: number; max: number }): number {
		const text = this.query.get(name);
		if (text === null) return otherwise;
		const value = Number(text);
		if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0) {
			throw invalid(`${name} must be a whole number of at least 0, got '${text}'`);
		}
		return Math.min(value, max);
	}

	/** How values of users are to be shown. */
	get valueForm(): ValueForm {
		return this.wantsCbor ? "exact" : "plain";
	}

	/** Whether the caller asks for CBOR instead of plain JSON. */
	get wantsCbor(): boolean {
		return isCbor(this.request.headers.get("accept") ?? "");
	}
}

function isCbor(mediaType: string): boolean {
	return /^\s*application\/cbor\b/i.test(mediaType);
}

function parseJson(bytes: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
	} catch (error) {
		throw invalid(`the body is not JSON: ${(error as Error).message}`);
	}
}
