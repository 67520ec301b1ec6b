/** Why requests to a host fail, as the API shows it (contract: engine 5.5). */
export type PoolError =
	| { readonly serverless_http_error: { readonly status_code: number; readonly body: string } }
	| "serverless_stream_ended_early"
	| { readonly serverless_connection_error: { readonly message: string } }
	| {
			readonly serverless_invalid_sse_payload: {
				readonly message: string;
				readonly raw_payload: string;
			};
	  }
	| "internal_error";

/** Thrown by what asks a host. */
export class HostFailure extends Error {
	override readonly name = "HostFailure";
	readonly poolError: PoolError;

	constructor(poolError: PoolError) {
		super(JSON.stringify(poolError));
		this.poolError = poolError;
	}
}

/** The first characters of a body; what cannot be read is left out. */
export async function readStart(response: Response, charsMax: number): Promise<string> {
	const decoder = new TextDecoder();
	let text = "";
	try {
		for await (const chunk of response.body ?? []) {
			text += decoder.decode(chunk, { stream: true });
			if (text.length >= charsMax) break;
		}
	} catch {
		// What has come says more than why no more did.
	}
	return text.slice(0, charsMax);
}

/** The reason behind a failed `fetch` of a URL; `fetch` says only that it failed. */
export function reasonOf(error: unknown, url: string): string {
	const cause = error instanceof Error ? error.cause : undefined;
	const innermost = cause instanceof Error ? cause : error;
	const { code, message } = innermost as { code?: string; message?: string };
	if (message === "bad port") {
		return `fetch refuses port ${new URL(url).port}, as browsers do; the host has to listen on another one`;
	}
	return message || code || String(innermost);
}
