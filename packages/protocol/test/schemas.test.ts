import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generateAll } from "../scripts/generate-bare.ts";

const generated = generateAll();
const schemas = new URL("../schemas/", import.meta.url);
const definition = (schema: string, type: string) =>
	new RegExp(`^type ${type} [^]*?\\n(?=\\n|$)`, "m").exec(
		`${readFileSync(new URL(schema, schemas), "utf8")}\n`,
	)?.[0];

describe("generated codecs", () => {
	it.each([...generated])(
		"%s is what its schema gives: run scripts/generate-bare.ts",
		(name, source) => {
			expect(readFileSync(new URL(`../src/generated/${name}`, import.meta.url), "utf8")).toBe(
				source,
			);
		},
	);
});

describe("client protocol versions share the layouts that one reader serves", () => {
	const shared = [
		"ActionRequest",
		"SubscriptionRequest",
		"ToServerBody",
		"ToServer",
		"HttpActionRequest",
		"HttpActionResponse",
		"ActionResponse",
		"Event",
		"ToClientBody",
	];
	it.each(shared)("%s is the same in all", (type) => {
		const newest = definition("client-protocol-v3.bare", type);
		expect(newest).toBeDefined();
		for (const version of [1, 2, 4]) {
			expect(definition(`client-protocol-v${version}.bare`, type)).toBe(newest);
		}
	});
	it.each(["Init", "Error", "HttpResponseError"])("%s is the same in 2 and 3", (type) => {
		expect(definition("client-protocol-v2.bare", type)).toBe(
			definition("client-protocol-v3.bare", type),
		);
	});
	it("version 1 has the layouts of 3, but for a connection token at the end of Init", () => {
		const newest = definition("client-protocol-v3.bare", "Init");
		expect(definition("client-protocol-v1.bare", "Init")).toBe(
			newest?.replace("}", "  connectionToken: str\n}"),
		);
		expect(definition("client-protocol-v1.bare", "Error")).toBe(
			definition("client-protocol-v3.bare", "Error"),
		);
	});
	it("version 4 has the layouts of 3, but for an actor at the end of both errors", () => {
		expect(definition("client-protocol-v4.bare", "Init")).toBe(
			definition("client-protocol-v3.bare", "Init"),
		);
		for (const type of ["Error", "HttpResponseError"]) {
			expect(definition("client-protocol-v4.bare", type)).toBe(
				definition("client-protocol-v3.bare", type)?.replace(
					"}",
					"  actor: optional<ActorSpecifier>\n}",
				),
			);
		}
	});
	it("queue messages are the same in 3 and 4", () => {
		for (const type of ["HttpQueueSendRequest", "HttpQueueSendResponse"]) {
			expect(definition("client-protocol-v4.bare", type)).toBe(
				definition("client-protocol-v3.bare", type),
			);
		}
	});
});
