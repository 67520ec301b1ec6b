/** Endpoint URLs with credentials in them, and the configuration around them (contract 5.3). */
import { collapseSlashes, encodeQuery, splitQuery } from "./gateway/path.ts";
import {
	DEFAULT_BASE_PATH,
	DEFAULT_ENDPOINT,
	DEFAULT_NAMESPACE,
	DEFAULT_RUNNER_NAME,
} from "./names.ts";

/** One thing wrong with a configuration: where, and what. */
export interface ConfigIssue {
	readonly path: readonly string[];
	readonly message: string;
}

/** A configuration that cannot be used; thrown at once, with everything that is wrong. */
export class ConfigError extends Error {
	override readonly name = "ConfigError";
	readonly issues: readonly ConfigIssue[];
	constructor(issues: readonly ConfigIssue[]) {
		super(issues.map(({ path, message }) => [path.join("."), message].join(": ")).join("; "));
		this.issues = issues;
	}
}

export interface ParsedEndpoint {
	/** The URL without credentials, path kept. */
	readonly endpoint: string;
	readonly namespace: string | undefined;
	readonly token: string | undefined;
}

/**
 * Reads `scheme://[namespace[:token]@]host[:port][/path]` (http or https). Throws {@link ConfigError}
 * with the given path, which defaults to `endpoint`.
 */
export function parseEndpoint(
	input: string,
	path: readonly string[] = ["endpoint"],
): ParsedEndpoint {
	const fail = (message: string) => new ConfigError([{ path, message }]);
	let url: URL;
	let namespace: string;
	let token: string;
	try {
		url = new URL(input);
		namespace = decodeURIComponent(url.username);
		token = decodeURIComponent(url.password);
	} catch {
		throw fail(`invalid URL: ${input}`);
	}
	// "localhost:6420" parses, as a URL with the scheme "localhost".
	if (!/^https?:$/.test(url.protocol)) throw fail(`invalid URL: ${input}`);
	url.username = "";
	url.password = "";
	// `search` and `hash` are empty for a lone "?" or "#", which has no place here either.
	if (/^[^#]*\?/.test(url.href)) throw fail("endpoint cannot contain a query string");
	if (url.href.includes("#")) throw fail("endpoint cannot contain a fragment");
	if (token && !namespace) {
		throw fail("endpoint cannot have a token without a namespace");
	}
	return {
		endpoint: url.href,
		namespace: namespace || undefined,
		token: token || undefined,
	};
}

/** What a client or server is configured with. Empty texts count as not given. */
export interface EndpointOptions {
	readonly endpoint?: string | undefined;
	readonly token?: string | undefined;
	readonly namespace?: string | undefined;
	readonly runnerName?: string | undefined;
	/** The process's environment; leave it out where there is none. */
	readonly env?: Readonly<Record<string, string | undefined>> | undefined;
	/** The page's origin in a browser. */
	readonly origin?: string | undefined;
}

export interface EndpointConfig {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	readonly runnerName: string;
	/** Whether the endpoint was configured, in contrast to the default of the place. */
	readonly explicit: boolean;
}

/**
 * Endpoint, namespace, token and runner name by precedence: options, then `RIVET_ENGINE`,
 * `RIVET_ENDPOINT`, `RIVET_TOKEN`, `RIVET_NAMESPACE`, `RIVET_RUNNER`, then defaults. Throws
 * {@link ConfigError}; namespace and token given twice are reported together.
 */
export function resolveEndpointConfig(options: EndpointOptions): EndpointConfig {
	const env = options.env ?? {};
	const configured = options.endpoint || env.RIVET_ENGINE || env.RIVET_ENDPOINT;
	const parsed = parseEndpoint(configured || defaultEndpoint(options.origin));
	const issues: ConfigIssue[] = [];
	const once = (field: "namespace" | "token", separate: string | undefined) => {
		if (separate && parsed[field] !== undefined) {
			issues.push({
				path: [field],
				message: `cannot specify ${field} both in endpoint URL and as a separate config option`,
			});
		}
		return parsed[field] ?? (separate || undefined);
	};
	const namespace = once("namespace", options.namespace || env.RIVET_NAMESPACE);
	const token = once("token", options.token || env.RIVET_TOKEN);
	if (issues.length > 0) throw new ConfigError(issues);
	return {
		endpoint: parsed.endpoint,
		namespace: namespace ?? DEFAULT_NAMESPACE,
		token,
		runnerName: options.runnerName || env.RIVET_RUNNER || DEFAULT_RUNNER_NAME,
		explicit: Boolean(configured),
	};
}

function defaultEndpoint(origin: string | undefined): string {
	// Pages without an origin of their own (file:) report the text "null".
	return origin && origin !== "null" ? origin + DEFAULT_BASE_PATH : DEFAULT_ENDPOINT;
}

/** Endpoint and path as one URL. The path keeps its own query; `query` is appended to it. */
export function joinUrl(
	endpoint: string,
	path: string,
	query: Readonly<Record<string, string | undefined>> = {},
): string {
	const url = new URL(endpoint);
	const [pathname, ownQuery] = splitQuery(path);
	const search = [ownQuery.slice(1), encodeQuery(query)].filter(Boolean).join("&");
	const base = url.pathname.replace(/\/$/, "");
	return url.origin + collapseSlashes(`${base}/${pathname}`) + (search && `?${search}`);
}
