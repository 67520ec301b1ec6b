import { describe, expect, test } from "vitest";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";

describe("Engine.fetch", () => {
	test("serves gateway and management API below a base path", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const at = (path: string, init?: RequestInit) =>
			t.engine.fetch(new Request(`http://host${path}`, init), { basePath: "/api/rivet" });
		expect(
			await (await at(`/api/rivet/gateway/${actorId}/action/x?y=1`, { method: "POST" })).text(),
		).toBe("POST /action/x?y=1");
		expect(await (await at("/api/rivet/health")).json()).toMatchObject({ runtime: "rivetkit" });
		expect((await at("/health")).status).toBe(404);
	});

	test("answers preflights and puts CORS headers on everything", async () => {
		await using t = testEngine();
		const headers = { origin: "https://app.example", "access-control-request-headers": "x-a" };
		const preflight = await t.engine.fetch(
			new Request("http://host/gateway/x/action/y", { method: "OPTIONS", headers }),
		);
		expect(preflight.status).toBe(204);
		expect(Object.fromEntries(preflight.headers)).toMatchObject({
			"access-control-allow-origin": "https://app.example",
			"access-control-allow-headers": "x-a",
			"access-control-max-age": "86400",
			vary: "Origin",
		});
		const missing = await t.engine.fetch(new Request("http://host/gateway/x/y", { headers }));
		expect(missing.status).toBe(404);
		expect(missing.headers.get("access-control-allow-origin")).toBe("https://app.example");
	});

	test("streams bodies both ways", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		t.host.onRequest = ({ body }) => ({ status: 200, headers: {}, body: body.stream() });
		const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
		const answer = await t.engine.fetch(
			new Request(`http://host/gateway/${actorId}/request/x`, {
				method: "POST",
				body: readable,
				duplex: "half",
			} as RequestInit),
		);
		const writer = writable.getWriter();
		const reader = answer.body!.getReader();
		for (const byte of [1, 2, 3]) {
			await writer.write(Uint8Array.of(byte));
			expect((await reader.read()).value).toEqual(Uint8Array.of(byte));
		}
		await writer.close();
		expect((await reader.read()).done).toBe(true);
	});

	test.each([
		["GET", 200, null],
		["HEAD", 200, "5"],
		["GET", 304, "5"],
	])(
		"has the length of an answer without a body only where it is of another: %s %i",
		async (method, status, length) => {
			await using t = testEngine();
			const actorId = await t.create();
			t.host.onRequest = () => ({ status, headers: { "content-length": "5" }, body: null });
			const request = new Request(`http://host/gateway/${actorId}/request/x`, { method });
			const answer = await t.engine.fetch(request);
			expect(answer.headers.get("content-length")).toBe(length);
		},
	);

	test("keeps several cookies, and answers HEAD without a body", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		t.host.onRequest = () => ({
			status: 200,
			headers: { "set-cookie": ["a=1", "b=2"] },
			body: "hello",
		});
		const url = `http://host/gateway/${actorId}/request/x`;
		const got = await t.engine.fetch(new Request(url));
		expect(got.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
		expect(await got.text()).toBe("hello");
		expect(await (await t.engine.fetch(new Request(url, { method: "HEAD" }))).text()).toBe("");
	});

	test("limits bodies, declared or not", async () => {
		await using t = testEngine({ limits: { httpBodyBytesMax: 10 } });
		const actorId = await t.create();
		t.host.onRequest = async ({ body }) => ({
			status: 200,
			headers: {},
			body: await body.bytes(1000).then(
				(bytes) => String(bytes.byteLength),
				(error: { code: string }) => error.code,
			),
		});
		const send = async (body: BodyInit) =>
			(
				await t.engine.fetch(
					new Request(`http://host/gateway/${actorId}/x`, {
						method: "POST",
						body,
						duplex: "half",
					} as RequestInit),
				)
			).text();
		expect(await send("x".repeat(10))).toBe("10");
		expect(await send("x".repeat(11))).toBe("invalid_request_body");
		expect(await send(new Blob(["x".repeat(11)]).stream())).toBe("invalid_request_body");
	});

	test("hands the request's own signal to the actor", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const aborted = new Gate<unknown>();
		const running = new Gate();
		t.host.onRequest = ({ signal }) => {
			signal.addEventListener("abort", () => aborted.open(signal.reason));
			running.open();
			return new Promise(() => {});
		};
		const controller = new AbortController();
		void t.engine.fetch(
			new Request(`http://host/gateway/${actorId}/x`, { signal: controller.signal }),
		);
		await running.opened;
		controller.abort("enough");
		expect(await aborted.opened).toBe("enough");
	});
});
