import { describe, expect, it } from "vitest";
import { ConfigError, joinUrl, parseEndpoint, resolveEndpointConfig } from "../src/index.ts";

function issuesOf(run: () => unknown): unknown {
	try {
		run();
	} catch (error) {
		expect(error).toBeInstanceOf(ConfigError);
		return (error as ConfigError).issues;
	}
	throw new Error("nothing was thrown");
}

describe("parseEndpoint (5.3)", () => {
	it.each(["", "h:80", "localhost:6420", "ws://h", "file:///x", "http://", "http://%ZZ@h", "//h"])(
		"'%s' is no endpoint",
		(input) => {
			expect(issuesOf(() => parseEndpoint(input))).toEqual([
				{ path: ["endpoint"], message: `invalid URL: ${input}` },
			]);
		},
	);

	it.each([
		["http://h/?", "endpoint cannot contain a query string"],
		["http://h/?a#b", "endpoint cannot contain a query string"],
		["http://h/#", "endpoint cannot contain a fragment"],
		["http://h/#a?b", "endpoint cannot contain a fragment"],
	])("%s: %s", (input, message) => {
		expect(issuesOf(() => parseEndpoint(input, ["serverless", "publicEndpoint"]))).toEqual([
			{ path: ["serverless", "publicEndpoint"], message },
		]);
	});

	it("reads back credentials with any characters", () => {
		const namespace = "n/s:@ ü";
		const token = "t?#%@:";
		const url = `https://${encodeURIComponent(namespace)}:${encodeURIComponent(token)}@h.example/p/`;
		expect(parseEndpoint(url)).toEqual({ endpoint: "https://h.example/p/", namespace, token });
	});
});

describe("resolveEndpointConfig", () => {
	const both = {
		RIVET_ENGINE: "http://engine",
		RIVET_ENDPOINT: "http://endpoint",
		RIVET_TOKEN: "t",
		RIVET_NAMESPACE: "n",
		RIVET_RUNNER: "r",
	};

	it("takes options over RIVET_ENGINE over RIVET_ENDPOINT over the default", () => {
		expect(resolveEndpointConfig({ endpoint: "http://option", env: both }).endpoint).toBe(
			"http://option/",
		);
		expect(resolveEndpointConfig({ env: both })).toEqual({
			endpoint: "http://engine/",
			namespace: "n",
			token: "t",
			runnerName: "r",
			explicit: true,
		});
		expect(resolveEndpointConfig({ env: { ...both, RIVET_ENGINE: "" } }).endpoint).toBe(
			"http://endpoint/",
		);
		expect(resolveEndpointConfig({})).toEqual({
			endpoint: "http://127.0.0.1:6420/",
			namespace: "default",
			runnerName: "default",
			explicit: false,
		});
	});

	it("uses the page's origin in browsers", () => {
		expect(resolveEndpointConfig({ origin: "https://page.example" }).endpoint).toBe(
			"https://page.example/api/rivet",
		);
		expect(resolveEndpointConfig({ origin: "null" }).endpoint).toBe("http://127.0.0.1:6420/");
		expect(
			resolveEndpointConfig({ origin: "https://page.example", endpoint: "http://h" }).endpoint,
		).toBe("http://h/");
	});

	it("options win over the environment", () => {
		const config = resolveEndpointConfig({
			namespace: "o",
			token: "p",
			runnerName: "q",
			env: both,
		});
		expect(config).toMatchObject({ namespace: "o", token: "p", runnerName: "q" });
	});

	it("namespace and token given twice are reported together", () => {
		const twice = [
			{
				path: ["namespace"],
				message: "cannot specify namespace both in endpoint URL and as a separate config option",
			},
			{
				path: ["token"],
				message: "cannot specify token both in endpoint URL and as a separate config option",
			},
		];
		const endpoint = "https://a:b@h";
		expect(issuesOf(() => resolveEndpointConfig({ endpoint, namespace: "n", token: "t" }))).toEqual(
			twice,
		);
		expect(
			issuesOf(() =>
				resolveEndpointConfig({ endpoint, env: { RIVET_NAMESPACE: "n", RIVET_TOKEN: "t" } }),
			),
		).toEqual(twice);
		expect(issuesOf(() => resolveEndpointConfig({ endpoint, token: "t" }))).toEqual(twice.slice(1));
		expect(resolveEndpointConfig({ endpoint })).toMatchObject({ namespace: "a", token: "b" });
	});

	it("says in its message where and what", () => {
		expect(() => resolveEndpointConfig({ endpoint: "nope" })).toThrow(
			"endpoint: invalid URL: nope",
		);
	});
});

describe("joinUrl (5.3)", () => {
	it.each<[string, string, Record<string, string | undefined> | undefined, string]>([
		["http://h", "/actors", undefined, "http://h/actors"],
		["http://h/p/", "actors", undefined, "http://h/p/actors"],
		["http://h/p", "//actors//x/", undefined, "http://h/p/actors/x/"],
		["http://h/", "/a?b=1", { c: "d e", f: undefined }, "http://h/a?b=1&c=d%20e"],
		["http://h/", "/a?u=//x", {}, "http://h/a?u=//x"],
		["http://h/", "/a?", { "k&": "=" }, "http://h/a?k%26=%3D"],
		["http://h/p", "", undefined, "http://h/p/"],
	])("%s and %s", (endpoint, path, query, url) => {
		expect(joinUrl(endpoint, path, query)).toBe(url);
	});
});
