import {
	ConfigError,
	type ConfigIssue,
	type Encoding,
	resolveEndpointConfig,
} from "@rivetkit/protocol";
import { activeTraceparent } from "./transport/http/active-traceparent.ts";
import type { HttpTransportConfig } from "./transport/http/http-transport.ts";
import type { Platform } from "./transport/http/platform.ts";

/** What `createClient` takes (contract: api 15.1). Every field is optional. */
export interface ClientConfigInput {
	/**
	 * `scheme://[namespace[:token]@]host[:port][/path]`. Default: `RIVET_ENGINE`, then `RIVET_ENDPOINT`,
	 * then the page's origin + `/api/rivet` in browsers and `http://127.0.0.1:6420` elsewhere.
	 */
	readonly endpoint?: string | undefined;
	/** Default `RIVET_TOKEN`. An error when the endpoint has one as well. */
	readonly token?: string | undefined;
	/** Default `RIVET_NAMESPACE`, then `default`. An error when the endpoint has one as well. */
	readonly namespace?: string | undefined;
	/** Pool of the actors this client creates. Default `RIVET_RUNNER`, `RIVET_POOL`, then `default`. */
	readonly runnerName?: string | undefined;
	/** Same as `runnerName`. */
	readonly poolName?: string | undefined;
	/** Default `bare`. */
	readonly encoding?: Encoding | undefined;
	/** Added to every HTTP request, not to WebSockets. */
	readonly headers?: Readonly<Record<string, string>> | undefined;
	/**
	 * Use the endpoint as it is, without asking it where to go and what it can do: calls are then not
	 * identified, so none is repeated, and in JSON one that returns nothing resolves `null`. Default false.
	 */
	readonly disableMetadataLookup?: boolean | undefined;
	/**
	 * Says where in a trace the code that calls is: the `traceparent` of W3C trace context, asked for each call
	 * and each socket; undefined for nowhere. Default: what the application's OpenTelemetry says, if it has
	 * registered itself.
	 */
	readonly traceparent?: (() => string | undefined) | undefined;
	/** Accepted for compatibility. This client never loads remote code, so it has no effect. */
	readonly devtools?: boolean | undefined;
	/** Accepted for compatibility; internal. */
	readonly getUpgradeWebSocket?: unknown;
}

/**
 * Fills in defaults from the environment. Throws `ConfigError` with all `issues` when something is
 * wrong, such as an option that there is not; does no I/O.
 */
export function resolveClientConfig(
	input: string | ClientConfigInput | undefined,
	{ env, origin }: Pick<Platform, "env" | "origin">,
): HttpTransportConfig {
	const given = typeof input === "string" ? { endpoint: input } : (input ?? {});
	const issues = shapeIssues(given);
	if (issues.length > 0) throw new ConfigError(issues);
	const { explicit: _explicit, ...address } = resolveEndpointConfig({
		endpoint: given.endpoint,
		token: given.token,
		namespace: given.namespace,
		runnerName: given.runnerName ?? given.poolName ?? (env.RIVET_RUNNER || env.RIVET_POOL),
		env,
		origin,
	});
	return {
		...address,
		encoding: given.encoding ?? "bare",
		headers: given.headers ?? {},
		traceparent: given.traceparent ?? activeTraceparent,
		// Framework builds run this code where no server is (contract: protocol 5.2).
		lookUpMetadata: !given.disableMetadataLookup && env.NEXT_PHASE !== "phase-production-build",
	};
}

/** What each option has to be: of a type, or one of several values; "" for what is not looked at. */
const OPTIONS: ReadonlyMap<string, string> = /* @__PURE__ */ new Map(
	/* @__PURE__ */ Object.entries({
		endpoint: "string",
		token: "string",
		namespace: "string",
		runnerName: "string",
		poolName: "string",
		encoding: "bare, cbor, json",
		headers: "object",
		disableMetadataLookup: "boolean",
		traceparent: "function",
		devtools: "",
		getUpgradeWebSocket: "",
	} satisfies Record<keyof ClientConfigInput, string>),
);

function shapeIssues(config: object): ConfigIssue[] {
	if (typeof config !== "object" || Array.isArray(config)) {
		return [{ path: [], message: "expected a URL or an object" }];
	}
	return Object.entries(config).flatMap(([name, value]) => {
		const expected = OPTIONS.get(name);
		const found = name === "encoding" ? String(value) : typeof value;
		if (value === undefined || expected === "" || expected?.split(", ").includes(found)) return [];
		const message =
			expected === undefined
				? `unknown option; known ones are ${[...OPTIONS.keys()].join(", ")}`
				: `expected ${expected}, got ${found}`;
		return { path: [name], message };
	});
}
