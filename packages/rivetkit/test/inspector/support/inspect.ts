import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { TestRuntime } from "../../support/test-runtime.ts";

export interface InspectorAnswer {
	readonly status: number;
	readonly headers: Headers;
	// biome-ignore lint/suspicious/noExplicitAny: whatever the route answers
	readonly body: any;
}

export interface InspectorRequest {
	readonly method?: string;
	/** Sent as plain JSON. */
	readonly body?: unknown;
	/** Sent and asked for as CBOR. */
	readonly cbor?: boolean;
	readonly headers?: Record<string, string>;
}

/** One request to an inspector, with its answer decoded; text where it is no JSON or CBOR. */
export async function inspect(
	runtime: Pick<TestRuntime, "url">,
	actorId: string,
	path: string,
	{ method = "GET", body, cbor = false, headers = {} }: InspectorRequest = {},
): Promise<InspectorAnswer> {
	const response = await fetch(`${runtime.url}/gateway/${actorId}/inspector/${path}`, {
		method,
		headers: {
			...(cbor ? { accept: "application/cbor", "content-type": "application/cbor" } : {}),
			...headers,
		},
		...(body === undefined
			? {}
			: { body: cbor ? (encodeCbor(body) as BodyInit) : JSON.stringify(body) }),
	});
	const bytes = new Uint8Array(await response.arrayBuffer());
	const type = response.headers.get("content-type") ?? "";
	const text = () => new TextDecoder().decode(bytes);
	return {
		status: response.status,
		headers: response.headers,
		body: type.includes("cbor")
			? decodeCbor(bytes)
			: type.includes("json")
				? JSON.parse(text())
				: text(),
	};
}
