import {
	ConfigError,
	type ConfigIssue,
	ENCODINGS,
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
 * wrong; does no I/O.
 */
export function resolveClientConfig(
	input: string | ClientConfigInput | undefined,
	{ env, origin }: Pick<Platform, "env" | "origin">,
): HttpTransportConfig {
	const given = typeof input === "string" ? { endpoint: input } : (input ?? {});
	const issues = shapeIssues(given);
	if (issues.length > 0) throw new ConfigError(issues);
	const { endpoint, namespace, token, runnerName } = resolveEndpointConfig({
		endpoint: given.endpoint,
		token: given.token,
		namespace: given.namespace,
		runnerName: given.runnerName ?? given.poolName ?? (env.RIVET_RUNNER || env.RIVET_POOL),
		env,
		origin,
	});
	return {
		endpoint,
		namespace,
		...(token !== undefined && { token }),
		runnerName,
		encoding: given.encoding ?? "bare",
		headers: given.headers ?? {},
		traceparent: given.traceparent ?? activeTraceparent,
		// Framework builds run this code where no server is (contract: protocol 5.2).
		lookUpMetadata: !given.disableMetadataLookup && env.NEXT_PHASE !== "phase-production-build",
	};
}

function shapeIssues(config: object): ConfigIssue[] {
	if (typeof config !== "object" || Array.isArray(config)) {
		return [{ path: [], message: "expected an endpoint or an object" }];
	}
	const issues: ConfigIssue[] = [];
	const expected = (name: string, what: string, got: string) => {
		issues.push({ path: [name], message: `expected ${what}, got ${got}` });
	};
	const { encoding, headers, ...fields } = config as Record<string, unknown>;
	for (const name of ["endpoint", "token", "namespace", "runnerName", "poolName"]) {
		const value = fields[name];
		if (value !== undefined && typeof value !== "string") {
			expected(name, "a string", typeof value);
		}
	}
	if (encoding !== undefined && !(ENCODINGS as readonly unknown[]).includes(encoding)) {
		expected("encoding", ENCODINGS.join(", "), String(encoding));
	}
	if (headers !== undefined && (typeof headers !== "object" || headers === null)) {
		expected("headers", "an object", typeof headers);
	}
	return issues;
}
