/** The query form of gateway paths: one request that resolves and calls (contract 8.3, engine 3.4). */
import { decodeBase64, encodeBase64 } from "../base64.ts";
import { decodeCbor } from "../cbor/decode.ts";
import { RivetError } from "../errors/rivet-error.ts";
import { collapseSlashes, encodeQuery, splitQuery } from "./path.ts";

const RESERVED = "rvt-";
const KEY_SEPARATOR = ",";
const CRASH_POLICIES = ["restart", "sleep", "destroy"] as const;
const CREATE_ONLY = ["rvt-input", "rvt-region", "rvt-crash-policy", "rvt-runner"];
const PARAMETERS = [
	"rvt-namespace",
	"rvt-method",
	"rvt-key",
	"rvt-pool",
	"rvt-token",
	"rvt-skip-ready-wait",
	...CREATE_ONLY,
];

/** Longest input that goes into a URL, in bytes of CBOR. */
export const QUERY_INPUT_BYTES_MAX = 4096;

export type CrashPolicy = (typeof CRASH_POLICIES)[number];

interface QueryGatewayCommon {
	readonly name: string;
	readonly namespace: string;
	readonly key: readonly string[];
	readonly token: string | null;
	readonly skipReadyWait: boolean;
	/** What the actor sees: path and query without the reserved parameters, otherwise untouched. */
	readonly path: string;
}

export type QueryGateway =
	| (QueryGatewayCommon & { readonly method: "get" })
	| (QueryGatewayCommon & {
			readonly method: "getOrCreate";
			readonly pool: string;
			/** CBOR of the input, or null when none is given. */
			readonly input: Uint8Array | null;
			readonly region: string | null;
			readonly crashPolicy: CrashPolicy;
	  });

/**
 * Reads a gateway path with reserved parameters, base path already removed; `null` when it is not a
 * gateway path or has none of them. Throws the `guard.query_*` errors (400).
 */
export function parseQueryGateway(pathWithQuery: string): QueryGateway | null {
	const [path, query] = splitQuery(pathWithQuery);
	if (path !== "/gateway" && !path.startsWith("/gateway/")) return null;
	const { reserved, rest } = partition(query);
	if (reserved.length === 0) return null;

	const [, , encodedName = "", ...segments] = path.split("/");
	const values = readValues(reserved);
	const method = values.get("rvt-method");
	if (method !== "get" && method !== "getOrCreate") {
		throw invalid(method === undefined ? "rvt-method is missing" : `unknown method '${method}'`);
	}
	const namespace = values.get("rvt-namespace");
	if (!namespace) throw invalid("rvt-namespace is missing");
	const key = values.get("rvt-key");
	const common = {
		name: readName(encodedName),
		namespace,
		key: key ? key.split(KEY_SEPARATOR) : [],
		token: values.get("rvt-token") ?? null,
		skipReadyWait: readFlag(values.get("rvt-skip-ready-wait")),
		path: `/${segments.join("/")}${rest}`,
	};
	if (method === "get") {
		const refused = CREATE_ONLY.filter((parameter) => values.has(parameter));
		if (refused.length === 0) return { ...common, method };
		throw guard(
			"query_get_disallowed_params",
			`${refused.join(", ")} cannot be used with method get`,
		);
	}
	const pool = values.get("rvt-pool") || values.get("rvt-runner");
	if (!pool) throw guard("query_missing_pool", "rvt-pool is required for method getOrCreate");
	return {
		...common,
		method,
		pool,
		input: readInput(values.get("rvt-input")),
		region: values.get("rvt-region") ?? null,
		crashPolicy: readCrashPolicy(values.get("rvt-crash-policy")),
	};
}

/** Separates reserved parameters from those the actor gets, which keep order and bytes. */
function partition(query: string): { reserved: [name: string, value: string][]; rest: string } {
	const reserved: [string, string][] = [];
	const others: string[] = [];
	for (const pair of query === "" ? [] : query.slice(1).split("&")) {
		const name = reservedName(pair);
		if (name === null) others.push(pair);
		else reserved.push([name, pair.replace(/^[^=]*=?/, "")]);
	}
	return { reserved, rest: others.length === 0 ? "" : `?${others.join("&")}` };
}

/** The name in a `name=value` pair of a query when it is a reserved one. */
function reservedName(pair: string): string | null {
	const name = formDecode(pair.replace(/=.*/, ""));
	return name?.startsWith(RESERVED) ? name : null;
}

function readValues(reserved: readonly [name: string, value: string][]): Map<string, string> {
	const values = new Map<string, string>();
	for (const [name, encoded] of reserved) {
		if (!PARAMETERS.includes(name)) throw invalid(`unknown parameter '${name}'`);
		if (values.has(name)) {
			throw guard("query_duplicate_param", `Parameter ${name} is given twice`, { name });
		}
		const value = formDecode(encoded);
		if (value === null) throw invalidPercentEncoding(name);
		values.set(name, value);
	}
	return values;
}

function readName(encoded: string): string {
	if (encoded === "") throw guard("query_empty_actor_name", "The actor name is empty");
	if (encoded.includes("@")) {
		throw guard("query_path_token_syntax", "Query paths take the token in rvt-token, not behind @");
	}
	try {
		return decodeURIComponent(encoded);
	} catch {
		throw invalidPercentEncoding("name");
	}
}

function readFlag(value: string | undefined): boolean {
	if (value === undefined || value === "false" || value === "0") return false;
	if (value === "true" || value === "1") return true;
	throw invalid(`rvt-skip-ready-wait is '${value}', not true, 1, false or 0`);
}

function readCrashPolicy(value: string | undefined): CrashPolicy {
	const policy = CRASH_POLICIES.find((candidate) => candidate === (value ?? "sleep"));
	if (policy) return policy;
	throw invalid(`unknown crash policy '${value}'`);
}

function readInput(value: string | undefined): Uint8Array | null {
	if (value === undefined) return null;
	const bytes = /[+/=]/.test(value) ? null : decodeBase64(value);
	if (bytes === null) {
		throw guard("query_invalid_base64_input", "rvt-input is not base64url without padding");
	}
	try {
		decodeCbor(bytes);
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw guard("query_invalid_cbor_input", `rvt-input is not CBOR: ${reason}`);
	}
	return bytes;
}

function formDecode(text: string): string | null {
	try {
		return decodeURIComponent(text.replaceAll("+", " "));
	} catch {
		return null;
	}
}

function invalid(detail: string): RivetError {
	return guard("query_invalid_params", `Invalid query parameters: ${detail}`, { detail });
}

function invalidPercentEncoding(name: string): RivetError {
	const message = `Invalid percent-encoding in ${name}`;
	return guard("query_invalid_percent_encoding", message, { name });
}

function guard(code: string, message: string, metadata?: unknown): RivetError {
	return new RivetError("guard", code, message, {
		public: true,
		...(metadata === undefined ? {} : { metadata }),
	});
}

/** What to resolve and where to go there. */
export interface QueryGatewayTarget {
	readonly method: "get" | "getOrCreate";
	readonly name: string;
	readonly namespace: string;
	readonly key: readonly string[];
	/** For `getOrCreate`, which needs it. */
	readonly pool?: string;
	/** CBOR of the input. For `getOrCreate`. */
	readonly input?: Uint8Array | undefined;
	readonly region?: string | undefined;
	readonly token?: string | null | undefined;
	/** Path at the actor, without a query. */
	readonly path: string;
}

/**
 * The path that resolves and calls in one request; `null` when this form cannot express it: a comma in
 * a key component, the key of one empty component, an over-long input, a name that URL parsers would
 * fold away. Actors that it creates have the crash policy `sleep`.
 */
export function buildQueryGateway(target: QueryGatewayTarget): string | null {
	const { name, key, input } = target;
	if (/^\.{0,2}$/.test(name)) return null;
	if (key.some((part) => part.includes(KEY_SEPARATOR))) return null;
	if (key.length === 1 && key[0] === "") return null;
	if (input && input.length > QUERY_INPUT_BYTES_MAX) return null;

	const reserved = encodeQuery({
		"rvt-namespace": target.namespace,
		"rvt-method": target.method,
		"rvt-key": key.length === 0 ? undefined : key.join(KEY_SEPARATOR),
		...(target.method === "getOrCreate" && {
			"rvt-pool": target.pool,
			"rvt-input": input && encodeBase64(input, "url"),
			"rvt-region": target.region,
			"rvt-crash-policy": "sleep",
		}),
		"rvt-token": target.token,
	});
	return `${collapseSlashes(`/gateway/${encodeURIComponent(name)}/${target.path}`)}?${reserved}`;
}
