import { type Encoding, encodeHttpActionRequest } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";

const ENCODINGS = ["json", "cbor", "bare"] as const;
const IN_MAX = 65_536;
const OUT_MAX = 1_048_576;

const subject = actor({
	onBeforeConnect: () => {},
	actions: {
		echo: (_c, value: unknown) => value,
		count: (_c, ...args: unknown[]) => args.length,
		nothing: () => {},
		fill: (_c, length: number) => "x".repeat(length),
		params: (c) => ({ params: c.conn.params ?? "none" }),
		"with space/ and slash": () => "found",
		nap: (c) => c.sleep(),
	},
});

async function start() {
	const runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	return { runtime, id, base: `${runtime.url}/gateway/${id}` };
}

/** Arguments whose encoded request is exactly this long. */
function requestOf(encoding: Encoding, bytes: number): Uint8Array<ArrayBuffer> {
	const encode = (length: number) => {
		const body = encodeHttpActionRequest(encoding, { args: ["x".repeat(length)] });
		return typeof body === "string" ? new TextEncoder().encode(body) : Uint8Array.from(body);
	};
	for (let length = bytes - 64; length < bytes; length++) {
		const body = encode(length);
		if (body.byteLength === bytes) return body;
	}
	throw new Error(`no request of ${bytes} bytes`);
}

describe("P13 encodings", () => {
	it.each(ENCODINGS)("answers %s in %s, with its content type", async (encoding) => {
		const { runtime, id } = await start();
		await using _ = runtime;
		const answer = await wireAction(runtime, id, "echo", [{ a: [1, "x", null] }], { encoding });
		expect(answer.output).toEqual({ a: [1, "x", null] });
		expect(answer.contentType).toContain(
			encoding === "json" ? "application/json" : "application/octet-stream",
		);
	});

	it("is JSON when none is asked for; an unknown one is refused in JSON", async () => {
		const { runtime, id, base } = await start();
		await using _ = runtime;
		const plain = await runtime.action(id, "nothing");
		expect(await plain.text()).toBe('{"output":null}');
		for (const encoding of ["JSON", "xml", ""]) {
			const response = await fetch(`${base}/action/echo`, {
				method: "POST",
				headers: { "x-rivet-encoding": encoding },
				body: "{}",
			});
			expect(response.status, encoding).toBe(400);
			expect(await response.json()).toMatchObject({ group: "encoding", code: "invalid" });
		}
	});
});

describe("P14, P15 sizes", () => {
	it.each(ENCODINGS)("%s requests may have 65,536 bytes and no more", async (encoding) => {
		const { runtime, id } = await start();
		await using _ = runtime;
		const fits = await wireAction(runtime, id, "count", [], {
			encoding,
			body: requestOf(encoding, IN_MAX),
		});
		expect(fits.output).toBe(1);
		const body = requestOf(encoding, IN_MAX + 1);
		const answer = await wireAction(runtime, id, "count", [], { encoding, body });
		expect([answer.status, codeOf(answer)]).toEqual([400, "message.incoming_too_long"]);
		expect(answer.error?.metadata).toEqual({ size: IN_MAX + 1, limit: IN_MAX });
		expect((await wireAction(runtime, id, "nothing", [], { encoding })).status).toBe(200);
	});

	it("refuses a long body without a declared length, too", async () => {
		const { runtime, base } = await start();
		await using _ = runtime;
		const chunk = new Uint8Array(40_000).fill(0x20);
		const body = new ReadableStream({
			start(controller) {
				controller.enqueue(chunk);
				controller.enqueue(chunk);
				controller.close();
			},
		});
		const init = { method: "POST", body, duplex: "half" } as RequestInit;
		const response = await fetch(`${base}/action/echo`, init);
		expect(await response.json()).toMatchObject({
			code: "incoming_too_long",
			message: expect.stringContaining("too long (limit 65536 bytes)"),
			metadata: { limit: 65_536 },
		});
	});

	it.each([
		["json", OUT_MAX - '{"output":""}'.length],
		["cbor", OUT_MAX - 13],
		["bare", OUT_MAX - 10],
	] as const)("%s answers may have 1,048,576 bytes and no more", async (encoding, length) => {
		const { runtime, id } = await start();
		await using _ = runtime;
		const statusOf = async (bytes: number) =>
			(await wireAction(runtime, id, "fill", [bytes], { encoding })).status;
		expect(await statusOf(length - 8)).toBe(200);
		const over = await wireAction(runtime, id, "fill", [length + 8], { encoding });
		expect([over.status, codeOf(over)]).toEqual([400, "message.outgoing_too_long"]);
		expect(over.error?.metadata).toMatchObject({ limit: OUT_MAX });
		if (encoding !== "json") return;
		expect(await statusOf(length)).toBe(200);
		expect(await statusOf(length + 1)).toBe(400);
	});
});

describe("P16 action names", () => {
	it.each(["nope", "toString", "constructor", "__proto__", "hasOwnProperty", "valueOf"])(
		"'%s' is not an action",
		async (name) => {
			const { runtime, id } = await start();
			await using _ = runtime;
			const answer = await fetch(`${runtime.url}/gateway/${id}/action/${name}`, {
				method: "POST",
				body: '{"args":[]}',
			});
			expect(answer.status).toBe(400);
			expect(await answer.json()).toMatchObject({ group: "action", code: "not_found" });
		},
	);

	it("P19: percent-encoded names are decoded, a/b is 404, a trailing slash means nothing", async () => {
		const { runtime, id, base } = await start();
		await using _ = runtime;
		expect((await wireAction(runtime, id, "with space/ and slash")).output).toBe("found");
		const post = (path: string) => fetch(base + path, { method: "POST", body: '{"args":[]}' });
		expect((await post("/action/nothing/x")).status).toBe(404);
		expect((await post("/action/nothing/")).status).toBe(200);
		expect((await post("/action/nothing?x=1")).status).toBe(200);
		expect(await (await post("/action/%zz")).json()).toMatchObject({
			group: "request",
			code: "invalid",
		});
	});

	it.each(["GET", "PUT", "DELETE", "PATCH"])(
		"P18: %s on an action is a plain 404",
		async (method) => {
			const { runtime, base } = await start();
			await using _ = runtime;
			const response = await fetch(`${base}/action/echo`, { method });
			expect(response.status).toBe(404);
			expect(response.headers.get("content-type")).toContain("text/plain");
		},
	);
});

describe("malformed requests", () => {
	const bare = encodeHttpActionRequest("bare", { args: [1, "two"] }) as Uint8Array;
	const cbor = encodeHttpActionRequest("cbor", { args: [1, "two"] }) as Uint8Array;
	const bytes = (...parts: (number | Uint8Array)[]) =>
		Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...part])));

	const bodies: [Encoding, string, string | Uint8Array<ArrayBuffer>][] = [
		["json", "an empty body", ""],
		["json", "half a document", '{"args":[1'],
		["json", "no args", "{}"],
		["json", "args that are null", '{"args":null}'],
		["json", "args that are an object", '{"args":{"0":1}}'],
		["json", "args that are a string", '{"args":"abc"}'],
		["json", "a list", "[1]"],
		["json", "a number", "7"],
		["json", "trailing text", '{"args":[]} x'],
		["json", "an unknown tag", '{"args":[["$Nope","x"]]}'],
		["json", "bytes that are not UTF-8", bytes(0x7b, 0x22, 0xff, 0x22, 0x7d)],
		["cbor", "an empty body", bytes()],
		["cbor", "a truncated body", bytes(cbor.slice(0, -1))],
		["cbor", "one byte too many", bytes(cbor, 0)],
		["cbor", "another top level", bytes(0x83, 1, 2, 3)],
		[
			"cbor",
			"a length that lies",
			bytes(0xa1, 0x64, 0x61, 0x72, 0x67, 0x73, 0x9b, 0x7f, 255, 255, 255, 255, 255, 255, 255),
		],
		["cbor", "text instead", "hello"],
		["bare", "an empty body", bytes()],
		["bare", "one byte", bytes(3)],
		["bare", "a truncated body", bytes(bare.slice(0, -1))],
		["bare", "one byte too many", bytes(bare, 0)],
		["bare", "version 0", bytes(0, 0, bare.slice(2))],
		["bare", "version 5", bytes(5, 0, bare.slice(2))],
		["bare", "the version the wrong way round", bytes(0, 3, bare.slice(2))],
		["bare", "an over-long length", bytes(3, 0, 0x87, 0)],
	];

	it.each(bodies)(
		"P2-P4: %s with %s is message.malformed, and the actor is fine",
		async (encoding, _what, body) => {
			const { runtime, id } = await start();
			await using _ = runtime;
			const answer = await wireAction(runtime, id, "count", [], { encoding, body });
			expect([answer.status, codeOf(answer)]).toEqual([400, "message.malformed"]);
			expect((await wireAction(runtime, id, "count", [1, 2], { encoding })).output).toBe(2);
			expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
		},
	);

	it.each(ENCODINGS)(
		"every truncation of a %s request is malformed, never a crash",
		async (encoding) => {
			const { runtime, id } = await start();
			await using _ = runtime;
			const encoded = encodeHttpActionRequest(encoding, {
				args: [{ a: [1, 2n, "é"], b: new Map() }],
			});
			const whole = typeof encoded === "string" ? new TextEncoder().encode(encoded) : encoded;
			const answers = await Promise.all(
				Array.from({ length: whole.byteLength }, (_unused, length) =>
					wireAction(runtime, id, "echo", [], { encoding, body: bytes(whole.slice(0, length)) }),
				),
			);
			expect(new Set(answers.map(codeOf))).toEqual(new Set(["message.malformed"]));
		},
	);

	it.each(ENCODINGS)(
		"own __proto__ properties in %s stay properties and touch no prototype",
		async (encoding) => {
			const { runtime, id } = await start();
			await using _ = runtime;
			const evil = JSON.parse(
				'{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
			) as object;
			const { output } = await wireAction(runtime, id, "echo", [evil], { encoding });
			expect(Object.keys(output as object).sort()).toEqual(["__proto__", "constructor"]);
			expect(({} as { polluted?: true }).polluted).toBeUndefined();
		},
	);
});

describe("P20 connection params", () => {
	it("absent ones are undefined, JSON ones arrive, falsy ones too, others are params.invalid", async () => {
		const { runtime, id } = await start();
		await using _ = runtime;
		const send = (text?: string) =>
			wireAction(
				runtime,
				id,
				"params",
				[],
				text === undefined ? {} : { headers: { "x-rivet-conn-params": text } },
			);
		expect((await send()).output).toEqual({ params: "none" });
		expect((await send('{"a":1}')).output).toEqual({ params: { a: 1 } });
		expect((await send("0")).output).toEqual({ params: 0 });
		expect((await send('"\\u00e9("')).output).toEqual({ params: "é(" });
		for (const bad of ["{", "undefined", `"${"x".repeat(5_000)}"`]) {
			const answer = await send(bad);
			expect([answer.status, codeOf(answer)]).toEqual([400, "params.invalid"]);
		}
	});

	it("bad ones are refused on raw requests and queue sends as well", async () => {
		const { runtime, base } = await start();
		await using _ = runtime;
		for (const path of ["/request/x", "/queue/other"]) {
			const headers = { "x-rivet-conn-params": "{" };
			const response = await fetch(base + path, { method: "POST", headers, body: '{"body":1}' });
			expect([path, ((await response.json()) as { code: string }).code]).toEqual([path, "invalid"]);
		}
	});
});

describe("routes", () => {
	it("greets, tells its health and its version, and knows nothing else", async () => {
		const { runtime, base } = await start();
		await using _ = runtime;
		expect((await fetch(`${base}/`)).status).toBe(200);
		expect(await (await fetch(`${base}/health`)).text()).toBe("ok");
		expect(await (await fetch(`${base}/health/`)).text()).toBe("ok");
		expect((await fetch(`${base}/health`, { method: "HEAD" })).status).toBe(200);
		expect(await (await fetch(`${base}/metadata`)).json()).toMatchObject({ runtime: "rivetkit" });
		for (const path of [
			"/nope",
			"/connect",
			"/websocket",
			"/action",
			"/action/",
			"/queue/a/b",
			"/requestx",
		]) {
			const response = await fetch(
				base + path,
				path.startsWith("/queue") ? { method: "POST" } : {},
			);
			expect([path, response.status]).toEqual([path, 404]);
			expect(response.headers.get("content-type")).toContain("text/plain");
		}
		expect((await fetch(`${base}/health`, { method: "POST" })).status).toBe(404);
	});

	it("P32, P33: any request wakes a sleeping actor; an unknown id is actor.not_found", async () => {
		const { runtime, id, base } = await start();
		await using _ = runtime;
		for (const path of ["/health", "/nope"]) {
			await wireAction(runtime, id, "nap");
			await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
			await fetch(base + path);
			expect(runtime.embedded.host.liveActorIds).toEqual([id]);
		}
		const answer = await wireAction(runtime, "0".repeat(36), "nap", [], { encoding: "cbor" });
		expect([answer.status, codeOf(answer)]).toEqual([404, "actor.not_found"]);
	});
});
