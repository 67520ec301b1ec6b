import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { OPERATIONS } from "../../src/api/contract.ts";
import { ENGINE_OPERATIONS } from "../../src/api/engine-contract.ts";
import { engineOpenApiDocument } from "../../src/api/engine-openapi.ts";
import { openApiDocument } from "../../src/api/openapi.ts";
import { checkOpenApi } from "../helpers/check-openapi.ts";
import { testEngine } from "../helpers/engine.ts";

async function getting(path: string, options: Parameters<typeof testEngine>[0] = {}) {
	await using t = testEngine(options);
	const server = await t.listen();
	const answer = await fetch(server.url + path);
	return {
		status: answer.status,
		type: answer.headers.get("content-type"),
		text: await answer.text(),
	};
}

describe("/metadata", () => {
	test("has the contract's fields, capabilities, and who serves for callers on this machine", async () => {
		const { text } = await getting("/metadata?namespace=default", {
			dataDirectory: "/srv/app/.rivetkit",
			metadata: () => ({ clientEndpoint: "http://127.0.0.1:1" }),
		});
		expect(JSON.parse(text)).toEqual({
			runtime: "rivetkit",
			version: "0.0.0-test",
			runner: { kind: { normal: {} }, version: 1 },
			actorNames: { counter: { metadata: {} }, chat: { metadata: { icon: "comments" } } },
			clientEndpoint: "http://127.0.0.1:1",
			capabilities: [
				"call-ids",
				"query-gateway",
				"queue-options",
				"resume-events",
				"action-streams",
			],
			instance: { pid: process.pid, data: expect.stringMatching(/^[0-9a-f]{32}$/) },
		});
		expect(text).not.toContain("srv");
	});

	test("says nothing about the process to callers elsewhere", async () => {
		await using t = testEngine();
		const answer = await t.engine.fetch(new Request("http://host/metadata"));
		expect(Object.keys((await answer.json()) as object)).not.toContain("instance");
	});
});

test("/health", async () => {
	const { status, text } = await getting("/health");
	expect(status).toBe(200);
	expect(text).toBe('{"status":"ok","runtime":"rivetkit","version":"0.0.0-test"}');
});

test("/ greets in plain text", async () => {
	const { status, type, text } = await getting("/");
	expect([status, type]).toEqual([200, "text/plain; charset=UTF-8"]);
	expect(text).toContain("RivetKit");
});

test.each(["/nothing", "/actors/x/y", "/actors/%ZZ/kv/keys/a", "/metadata/x"])(
	"%s is an unstructured 404",
	async (path) => {
		expect(await getting(path)).toEqual({
			status: 404,
			type: "text/plain; charset=UTF-8",
			text: "Not Found",
		});
	},
);

describe("the OpenAPI document", () => {
	test("is served at /doc", async () => {
		const { type, text } = await getting("/doc");
		expect(type).toBe("application/json");
		expect(JSON.parse(text)).toEqual(openApiDocument("0.0.0-test"));
	});

	describe.each([
		["openapi.json", openApiDocument, OPERATIONS],
		["openapi-engine.json", engineOpenApiDocument, ENGINE_OPERATIONS],
	])("%s", (name, make, operations) => {
		test("is the one in the repository (npm run openapi -w packages/engine writes it)", () => {
			const path = new URL(`../../../../docs/${name}`, import.meta.url);
			const manifest = new URL("../../package.json", import.meta.url);
			const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
			expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(make(version));
		});

		test("is valid OpenAPI 3.1 and describes every operation", () => {
			const document = make("1.2.3");
			expect(checkOpenApi(document)).toEqual([]);
			const described = Object.values(document.paths as Record<string, Record<string, unknown>>)
				.flatMap((path) => Object.values(path) as { operationId: string }[])
				.map(({ operationId }) => operationId);
			expect(described.sort()).toEqual(Object.keys(operations).sort());
		});
	});

	test("the check finds what is wrong", () => {
		const broken = structuredClone(openApiDocument("1")) as never as {
			paths: Record<string, Record<string, { responses: unknown; parameters: unknown }>>;
		};
		broken.paths["/actors/{actor_id}"]!.delete!.parameters = [];
		broken.paths["/health"]!.get!.responses = { 200: { content: {} } };
		expect(checkOpenApi(broken)).toEqual([
			"delete /actors/{actor_id}: path parameter actor_id is not described",
			"get /health 200: no description",
		]);
	});
});
