import {
	catalogueError,
	ENGINE_TOKEN_ALPHABET,
	HEADER_ENDPOINT,
	HEADER_NAMESPACE_NAME,
	HEADER_RUNNER_NAME,
	HEADER_TOKEN,
	HEADER_TOTAL_SLOTS,
	isEngineToken,
	isLoopbackHost,
} from "@rivetkit/protocol";

/** What an engine asks of a serverless host (contract: engine 5.1, protocol 4.10). */
export interface StartRequest {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	readonly runnerName: string;
	readonly totalSlots: number;
}

/**
 * Reads the headers of `GET /start`, and holds them against the engine that is configured.
 *
 * @throws `request.invalid`, `config.endpoint_mismatch`, `config.namespace_mismatch`
 */
export function readStartRequest(
	headers: Headers,
	configured: { readonly endpoint: string; readonly namespace: string },
): StartRequest {
	const endpoint = required(headers, HEADER_ENDPOINT);
	const slots = required(headers, HEADER_TOTAL_SLOTS);
	const runnerName = required(headers, HEADER_RUNNER_NAME);
	const namespace = required(headers, HEADER_NAMESPACE_NAME);
	const totalSlots = Number(slots);
	if (!/^\d+$/.test(slots) || totalSlots < 1 || totalSlots > 0xffff_ffff) {
		throw catalogueError("request.invalid", {
			detail: `${HEADER_TOTAL_SLOTS} must be an integer of at least 1`,
		});
	}
	if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
		throw catalogueError("request.invalid", { detail: `${HEADER_ENDPOINT} must be an http URL` });
	}
	if (sameForm(endpoint) !== sameForm(configured.endpoint)) {
		throw catalogueError("config.endpoint_mismatch", {
			expected: configured.endpoint,
			received: endpoint,
		});
	}
	if (namespace !== configured.namespace) {
		throw catalogueError("config.namespace_mismatch", {
			expected: configured.namespace,
			received: namespace,
		});
	}
	const token = headers.get(HEADER_TOKEN) ?? undefined;
	if (token !== undefined && !isEngineToken(token)) {
		throw catalogueError("request.invalid", {
			detail: `${HEADER_TOKEN}: ${ENGINE_TOKEN_ALPHABET}`,
		});
	}
	return {
		endpoint,
		namespace,
		token,
		runnerName,
		totalSlots,
	};
}

function required(headers: Headers, name: string): string {
	const value = headers.get(name);
	if (value) return value;
	throw catalogueError("request.invalid", { detail: `header ${name} is missing` });
}

/** Loopback spellings are one host, a vendor's region is left out, a trailing slash means nothing. */
function sameForm(endpoint: string): string {
	const url = new URL(endpoint);
	if (isLoopbackHost(url.hostname)) url.hostname = "localhost";
	url.hostname = url.hostname.replace(/^api-[^.]+\.(?=rivet\.dev$)/, "api.");
	return url.origin + url.pathname.replace(/\/+$/, "");
}
