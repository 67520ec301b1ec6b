import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	buildQueryGateway,
	encodeBase64,
	encodeCbor,
	gatewayPath,
	loggedPath,
	parseGatewayPath,
	parseQueryGateway,
} from "../src/index.ts";
import { text } from "./support/arbitraries.ts";

const guard = (code: string, metadata?: unknown) =>
	expect.objectContaining({ group: "guard", code, statusCode: 400, public: true, metadata });

describe("loggedPath", () => {
	it.each([
		["/request/x?token=secret", "/request/x"],
		["/gateway/id@secret/request/@x?a=b", "/gateway/id@***/request/@x"],
		["/api/rivet/gateway/counter@sec%20ret?rvt-token=secret", "/api/rivet/gateway/counter@***"],
		["/request/@x", "/request/@x"],
	])("has no secrets of %s", (path, logged) => {
		expect(loggedPath(path)).toBe(logged);
	});
});

describe("gatewayPath (4.2)", () => {
	it.each<[string, Parameters<typeof gatewayPath>, string]>([
		["without anything behind it", ["ab12"], "/gateway/ab12"],
		["with a token", ["ab12", "s/x@y"], "/gateway/ab12@s%2Fx%40y"],
		["with path and query", ["a b", null, "/action/go?u=//x"], "/gateway/a%20b/action/go?u=//x"],
		["with slashes to collapse", ["ab", undefined, "//request//x/"], "/gateway/ab/request/x/"],
		["with a path that lacks its slash", ["ab", undefined, "connect"], "/gateway/ab/connect"],
	])("%s", (_name, args, path) => {
		expect(gatewayPath(...args)).toBe(path);
	});

	it("is read back for any id, token and path", () => {
		const present = text.filter((value) => value !== "");
		fc.assert(
			fc.property(
				present,
				fc.option(present),
				fc.webPath(),
				fc.webQueryParameters(),
				(id, token, path, query) => {
					const rest = `${path === "" ? "/" : path.replace(/\/{2,}/g, "/")}?${query}`;
					expect(parseGatewayPath(gatewayPath(id, token, rest))).toEqual({
						actorId: id,
						token,
						path: rest,
					});
				},
			),
		);
	});
});

describe("parseQueryGateway (8.3, engine 3.4)", () => {
	const get = "/gateway/chat/action/go?rvt-namespace=default&rvt-method=get";
	const create = "/gateway/chat?rvt-namespace=default&rvt-method=getOrCreate&rvt-pool=default";

	it("leaves paths without reserved parameters to the id form", () => {
		for (const path of [
			"/gateway/ab12",
			"/gateway/ab12/x?a=1&xrvt-method=get",
			"/actors?rvt-key=a",
		]) {
			expect(parseQueryGateway(path)).toBeNull();
		}
	});

	it("reads a lookup", () => {
		expect(
			parseQueryGateway(`${get}&rvt-key=a,b+c%2Fd,&rvt-token=t&rvt-skip-ready-wait=1`),
		).toEqual({
			method: "get",
			name: "chat",
			namespace: "default",
			key: ["a", "b c/d", ""],
			token: "t",
			skipReadyWait: true,
			path: "/action/go",
		});
	});

	it("reads a creation", () => {
		const input = encodeCbor({ size: 3 });
		const query = `&rvt-input=${encodeBase64(input, "url")}&rvt-region=fra&rvt-crash-policy=restart`;
		expect(parseQueryGateway(create + query)).toEqual({
			method: "getOrCreate",
			name: "chat",
			namespace: "default",
			key: [],
			token: null,
			skipReadyWait: false,
			path: "/",
			pool: "default",
			input,
			region: "fra",
			crashPolicy: "restart",
		});
	});

	it("passes other parameters on, byte for byte and in order", () => {
		const path = `/gateway/chat/a%2Fb/?z=%20y&rvt-namespace=default&a=1&rvt-method=get&z=+&&rvt-key=&=x`;
		expect(parseQueryGateway(path)).toMatchObject({ path: "/a%2Fb/?z=%20y&a=1&z=+&&=x", key: [] });
	});

	it("takes the old name of the pool, and prefers the new one", () => {
		const old = create.replace("rvt-pool=default", "rvt-runner=old");
		expect(parseQueryGateway(old)).toMatchObject({ pool: "old" });
		expect(parseQueryGateway(`${old}&rvt-pool=new`)).toMatchObject({ pool: "new" });
	});

	it.each<[string, string, string, unknown]>([
		[
			"an unknown parameter",
			`${get}&rvt-x=1`,
			"query_invalid_params",
			{ detail: "unknown parameter 'rvt-x'" },
		],
		[
			"an unknown parameter in disguise",
			`${get}&rvt%2Dx=1`,
			"query_invalid_params",
			{ detail: "unknown parameter 'rvt-x'" },
		],
		[
			"no method",
			"/gateway/chat?rvt-namespace=d",
			"query_invalid_params",
			{ detail: "rvt-method is missing" },
		],
		[
			"an unknown method",
			"/gateway/chat?rvt-namespace=d&rvt-method=put",
			"query_invalid_params",
			{ detail: "unknown method 'put'" },
		],
		[
			"no namespace",
			"/gateway/chat?rvt-method=get",
			"query_invalid_params",
			{ detail: "rvt-namespace is missing" },
		],
		[
			"an unknown policy",
			`${create}&rvt-crash-policy=x`,
			"query_invalid_params",
			{ detail: "unknown crash policy 'x'" },
		],
		[
			"an odd flag",
			`${get}&rvt-skip-ready-wait=yes`,
			"query_invalid_params",
			{ detail: "rvt-skip-ready-wait is 'yes', not true, 1, false or 0" },
		],
		[
			"a parameter twice",
			`${get}&rvt-key=a&rvt-key=b`,
			"query_duplicate_param",
			{ name: "rvt-key" },
		],
		["a token in the path", get.replace("chat", "chat@t"), "query_path_token_syntax", undefined],
		[
			"an empty name",
			"/gateway/?rvt-namespace=d&rvt-method=get",
			"query_empty_actor_name",
			undefined,
		],
		["no name", "/gateway?rvt-namespace=d&rvt-method=get", "query_empty_actor_name", undefined],
		[
			"bad percent-encoding in the name",
			get.replace("chat", "%ZZ"),
			"query_invalid_percent_encoding",
			{ name: "name" },
		],
		[
			"bad percent-encoding in a value",
			`${get}&rvt-key=%ZZ`,
			"query_invalid_percent_encoding",
			{ name: "rvt-key" },
		],
		["input with get", `${get}&rvt-input=oA`, "query_get_disallowed_params", undefined],
		["a region with get", `${get}&rvt-region=fra`, "query_get_disallowed_params", undefined],
		["a runner with get", `${get}&rvt-runner=r`, "query_get_disallowed_params", undefined],
		["no pool", create.replace("&rvt-pool=default", ""), "query_missing_pool", undefined],
		["input that is no base64", `${create}&rvt-input=!`, "query_invalid_base64_input", undefined],
		["input with padding", `${create}&rvt-input=oA==`, "query_invalid_base64_input", undefined],
		["input that is no CBOR", `${create}&rvt-input=_w`, "query_invalid_cbor_input", undefined],
	])("%s is refused", (_name, path, code, metadata) => {
		expect(() => parseQueryGateway(path)).toThrow(guard(code, metadata));
	});
});

describe("buildQueryGateway", () => {
	const base = { method: "getOrCreate", name: "chat", namespace: "default", pool: "p" } as const;

	it("is read back for any target it can express", () => {
		const part = text.filter((value) => !value.includes(","));
		const target = fc.record({
			name: text.filter((name) => !["", ".", ".."].includes(name)),
			namespace: text.filter((namespace) => namespace !== ""),
			key: fc.array(part, { maxLength: 4 }).filter((key) => key.join() !== "" || key.length !== 1),
			token: fc.option(text),
			region: fc.option(text, { nil: undefined }),
			input: fc.option(
				fc.uint8Array({ maxLength: 50 }).map((bytes) => encodeCbor(bytes)),
				{ nil: undefined },
			),
		});
		fc.assert(
			fc.property(target, (fields) => {
				const { region, input, ...rest } = fields;
				const path = "/request/a";
				const built = buildQueryGateway({
					...base,
					...rest,
					path,
					...(region === undefined ? {} : { region }),
					...(input === undefined ? {} : { input }),
				});
				expect(parseQueryGateway(built ?? "")).toEqual({
					...base,
					...rest,
					path,
					region: region ?? null,
					input: input ?? null,
					crashPolicy: "sleep",
					skipReadyWait: false,
				});
				expect(new URL(built ?? "", "http://h").href).toContain("/gateway/");
			}),
		);
	});

	it("says so when the form cannot express the target", () => {
		const cannot: Partial<Parameters<typeof buildQueryGateway>[0]>[] = [
			{ key: ["a,b"] },
			{ key: [""] },
			{ name: "" },
			{ name: ".." },
			{ input: new Uint8Array(4097) },
		];
		for (const fields of cannot)
			expect(buildQueryGateway({ ...base, path: "/", key: [], ...fields })).toBeNull();
		expect(
			buildQueryGateway({ ...base, path: "/", key: [], input: new Uint8Array(4096) }),
		).not.toBeNull();
	});

	it("sends no create-only parameters with get", () => {
		const path = buildQueryGateway({
			...base,
			method: "get",
			key: ["a"],
			input: new Uint8Array(1),
			path: "/",
		});
		expect(path).toBe("/gateway/chat/?rvt-namespace=default&rvt-method=get&rvt-key=a");
	});
});
