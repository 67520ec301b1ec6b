import { ConfigError } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { type ClientConfigInput, resolveClientConfig } from "../../src/client/config.ts";

function resolve(
	input?: string | ClientConfigInput,
	env: Record<string, string> = {},
	origin?: string,
) {
	return resolveClientConfig(input, { env, origin });
}

function issuesOf(...args: Parameters<typeof resolve>) {
	try {
		resolve(...args);
	} catch (error) {
		expect(error).toBeInstanceOf(ConfigError);
		return (error as ConfigError).issues.map(
			({ path, message }) => `${path.join(".")}: ${message}`,
		);
	}
	throw new Error("the configuration was accepted");
}

describe("client configuration", () => {
	test("without anything it is the local server", () => {
		expect(resolve()).toEqual({
			endpoint: "http://127.0.0.1:6420/",
			namespace: "default",
			runnerName: "default",
			encoding: "bare",
			headers: {},
			lookUpMetadata: true,
			traceparent: expect.any(Function),
		});
		const traceparent = () => "00-1-2-01";
		expect(resolve({ traceparent }).traceparent).toBe(traceparent);
	});

	test("in a page it is the page's own origin", () => {
		expect(resolve(undefined, {}, "https://app.example").endpoint).toBe(
			"https://app.example/api/rivet",
		);
		expect(resolve(undefined, {}, "null").endpoint).toBe("http://127.0.0.1:6420/");
	});

	test("options win over RIVET_ENGINE, which wins over RIVET_ENDPOINT", () => {
		const env = { RIVET_ENGINE: "http://engine", RIVET_ENDPOINT: "http://endpoint" };
		expect(resolve("http://option", env).endpoint).toBe("http://option/");
		expect(resolve({}, env).endpoint).toBe("http://engine/");
		expect(resolve({}, { RIVET_ENDPOINT: "http://endpoint" }).endpoint).toBe("http://endpoint/");
	});

	test("token, namespace and runner name fall back to the environment", () => {
		const env = { RIVET_TOKEN: "t", RIVET_NAMESPACE: "n", RIVET_RUNNER: "r" };
		expect(resolve({}, env)).toMatchObject({ token: "t", namespace: "n", runnerName: "r" });
		expect(resolve({ token: "T", namespace: "N", runnerName: "R" }, env)).toMatchObject({
			token: "T",
			namespace: "N",
			runnerName: "R",
		});
	});

	test("the pool has an older and a newer name", () => {
		expect(resolve({ poolName: "p" }).runnerName).toBe("p");
		expect(resolve({}, { RIVET_POOL: "p" }).runnerName).toBe("p");
		expect(resolve({}, { RIVET_POOL: "p", RIVET_RUNNER: "r" }).runnerName).toBe("r");
	});

	test.each([
		["https://acme:k1@h.example/p", "https://h.example/p", "acme", "k1"],
		["https://acme@h.example", "https://h.example/", "acme", undefined],
		["http://n%20s:t%3A@h:99/p/", "http://h:99/p/", "n s", "t:"],
	])("%s is taken apart", (endpoint, cleaned, namespace, token) => {
		const config = resolve(endpoint);
		expect(config).toMatchObject({ endpoint: cleaned, namespace });
		expect(config.token).toBe(token);
	});

	test.each([
		["not a url", "endpoint: invalid URL: not a url"],
		["http://h/?x=1", "endpoint: endpoint cannot contain a query string"],
		["http://h/#x", "endpoint: endpoint cannot contain a fragment"],
		["https://:tok@h", "endpoint: endpoint cannot have a token without a namespace"],
	])("%s is refused", (endpoint, issue) => {
		expect(issuesOf(endpoint)).toEqual([issue]);
	});

	test("namespace and token given twice are reported together, environment included", () => {
		expect(issuesOf({ endpoint: "http://n:t@h", namespace: "m" }, { RIVET_TOKEN: "u" })).toEqual([
			"namespace: cannot specify namespace both in endpoint URL and as a separate config option",
			"token: cannot specify token both in endpoint URL and as a separate config option",
		]);
	});

	test("values of wrong types are refused with their paths", () => {
		const wrong = {
			encoding: "xml",
			headers: "x",
			token: 1,
			traceparent: "00-1-2-01",
			disableMetadataLookup: "no",
		};
		expect(issuesOf(wrong as unknown as ClientConfigInput)).toEqual([
			"encoding: expected bare, cbor, json, got xml",
			"headers: expected object, got string",
			"token: expected string, got number",
			"traceparent: expected function, got string",
			"disableMetadataLookup: expected boolean, got string",
		]);
		expect(issuesOf({ encoding: "bare, cbor" as never })).toHaveLength(1);
	});

	test("an option that there is not is refused, with those that there are", () => {
		const known =
			"endpoint, token, namespace, runnerName, poolName, encoding, headers, disableMetadataLookup, traceparent, devtools, getUpgradeWebSocket";
		expect(issuesOf({ endpont: "http://h", toString: 1 } as unknown as ClientConfigInput)).toEqual([
			`endpont: unknown option; known ones are ${known}`,
			`toString: unknown option; known ones are ${known}`,
		]);
		expect(resolve({ endpont: undefined } as ClientConfigInput).namespace).toBe("default");
		expect(resolve({ devtools: true, getUpgradeWebSocket: 1 }).namespace).toBe("default");
	});

	test("the look-up is off when asked and in framework builds", () => {
		expect(resolve({ disableMetadataLookup: true }).lookUpMetadata).toBe(false);
		expect(resolve({}, { NEXT_PHASE: "phase-production-build" }).lookUpMetadata).toBe(false);
		expect(resolve({}, { NEXT_PHASE: "phase-production-server" }).lookUpMetadata).toBe(true);
	});
});
