import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isActorError, systemClock } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../src/common/limits.ts";
import { NodeRequest } from "../../src/gateway/node-request.ts";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";
import { exchange, open, untilClosed, untilReceived } from "../helpers/raw-http.ts";

async function serving(options: Parameters<typeof testEngine>[0] = {}) {
	const t = testEngine(options);
	const server = await t.listen();
	const actorId = await t.create();
	return Object.assign(t, { server, actorId, path: `/gateway/${actorId}/request/x` });
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const answerText = (body: string) => ({ status: 200, headers: {}, body });

describe("request bodies", () => {
	test("arrive whole, whatever way they were split", async () => {
		await using t = await serving();
		t.host.onRequest = async ({ body }) => ({
			status: 200,
			headers: {},
			body: await body.bytes(10_000_000),
		});
		const bytes = crypto.getRandomValues(new Uint8Array(60_000));
		const whole = new Uint8Array(3_000_000).map((_, index) => bytes[index % bytes.length]!);
		for (const body of [whole, whole.subarray(0, 1), new Uint8Array(0)]) {
			const answer = await fetch(t.server.url + t.path, { method: "POST", body });
			expect(new Uint8Array(await answer.arrayBuffer())).toEqual(body);
		}
	});

	test("of exactly the limit pass, one byte more is message.incoming_too_long at once", async () => {
		await using t = await serving();
		const codes: string[] = [];
		t.host.onRequest = async ({ body }) => {
			try {
				return answerText(String((await body.bytes(1000)).byteLength));
			} catch (error) {
				codes.push(isActorError(error) ? `${error.group}.${error.code}` : String(error));
				return answerText("refused");
			}
		};
		const send = async (size: number, chunked: boolean) => {
			const body = new Uint8Array(size);
			const answer = await fetch(t.server.url + t.path, {
				method: "POST",
				...(chunked ? { body: new Blob([body]).stream(), duplex: "half" as const } : { body }),
			} as RequestInit);
			return answer.text();
		};
		expect(await send(1000, false)).toBe("1000");
		expect(await send(1000, true)).toBe("1000");
		expect(await send(1001, false)).toBe("refused");
		expect(await send(1001, true)).toBe("refused");
		expect(codes).toEqual(Array(2).fill("message.incoming_too_long"));
	});

	test("over the gateway's limit are 413, declared or not, and the connection is given up", async () => {
		await using t = await serving({ limits: { httpBodyBytesMax: 1000 } });
		const code = (error: unknown) => (isActorError(error) ? error.code : String(error));
		t.host.onRequest = async ({ body }) =>
			answerText(await body.bytes(1e9).then((bytes) => String(bytes.byteLength), code));
		const head = `POST ${t.path} HTTP/1.1\r\nhost: x\r\n`;
		const declared = await exchange(t.server.port, `${head}content-length: 5000000\r\n\r\n`);
		expect(declared).toMatch(/connection: close/i);
		expect(declared).toContain("invalid_request_body");
		const chunk = `3e8\r\n${"x".repeat(1000)}\r\n`;
		const chunked = await exchange(
			t.server.port,
			`${head}transfer-encoding: chunked\r\n\r\n${chunk}1\r\nx\r\n`,
		);
		expect(chunked).toContain("invalid_request_body");
	});

	test("stream to the actor as they arrive", async () => {
		await using t = await serving();
		const seen: string[] = [];
		const first = new Gate();
		t.host.onRequest = async ({ body }) => {
			for await (const chunk of body.stream()!) {
				seen.push(Buffer.from(chunk).toString());
				first.open();
			}
			return answerText(seen.join("|"));
		};
		const socket = await open(t.server.port);
		const answered = untilReceived(socket, "one|two");
		socket.write(
			`POST ${t.path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n`,
		);
		await first.opened;
		expect(seen).toEqual(["one"]);
		socket.write("3\r\ntwo\r\n0\r\n\r\n");
		await answered;
		socket.destroy();
	});

	test("that nobody reads hold the sender back", async () => {
		const total = 8 * 1024 * 1024;
		const paused = new Gate();
		const context = { clock: systemClock(), limits: DEFAULT_LIMITS, logger: silent };
		const server = createServer(async (message, response) => {
			message.once("pause", () => paused.open());
			const stream = new NodeRequest(context, message, response).stream()!;
			await paused.opened;
			expect(message.readableFlowing).toBe(false);
			let read = 0;
			for await (const chunk of stream) {
				read += chunk.byteLength;
			}
			response.end(String(read));
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as AddressInfo;
		const answer = await fetch(`http://127.0.0.1:${port}`, {
			method: "POST",
			body: new Uint8Array(total),
		});
		expect(await answer.text()).toBe(String(total));
		server.close();
		server.closeAllConnections();
	});

	test("that were answered unread do not hold up the next request of their connection", async () => {
		await using t = await serving();
		const size = 8 * 1024 * 1024;
		t.host.onRequest = ({ method, body }) => {
			if (method === "POST") body.stream();
			return answerText(`answer to ${method}`);
		};
		const socket = await open(t.server.port);
		const answered = untilReceived(socket, "answer to POST");
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`);
		socket.write(new Uint8Array(size));
		await answered;
		const next = untilReceived(socket, "answer to GET");
		socket.write(`GET ${t.path} HTTP/1.1\r\nhost: x\r\n\r\n`);
		await next;
		socket.destroy();
	});

	test("that are read for the first time after the answer are errors, not empty", async () => {
		await using t = await serving();
		let stream: ReadableStream<Uint8Array> | null = null;
		t.host.onRequest = ({ method, body }) => {
			if (method === "POST") stream = body.stream();
			return answerText(`answer to ${method}`);
		};
		const socket = await open(t.server.port);
		const answered = untilReceived(socket, "answer to POST");
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n`);
		await answered;
		socket.write("abc");
		const next = untilReceived(socket, "answer to GET");
		socket.write(`GET ${t.path} HTTP/1.1\r\nhost: x\r\n\r\n`);
		await next;
		await expect(stream!.getReader().read()).rejects.toThrow("answered before its body was read");
		socket.destroy();
	});

	test("go on for who has begun to read before the answer", async () => {
		await using t = await serving();
		const read = new Gate<number>();
		t.host.onRequest = ({ body }) => {
			const reader = body.stream()!.getReader();
			const readAll = async () => {
				let size = 0;
				for (let next = await reader.read(); !next.done; next = await reader.read()) {
					size += next.value.byteLength;
				}
				read.open(size);
			};
			void readAll();
			return answerText("accepted");
		};
		const socket = await open(t.server.port);
		const answered = untilReceived(socket, "accepted");
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf`);
		await answered;
		socket.write("rest");
		expect(await read.opened).toBe(8);
		socket.destroy();
	});

	test("of GET are none, of an empty POST are none", async () => {
		await using t = await serving();
		t.host.onRequest = ({ body }) => answerText(String(body.stream()));
		expect(await (await fetch(t.server.url + t.path)).text()).toBe("null");
		expect(await (await fetch(t.server.url + t.path, { method: "POST" })).text()).toBe("null");
	});
});

describe("a caller that goes away", () => {
	test("fires the signal and ends a body that is being read", async () => {
		await using t = await serving();
		const failed = new Gate<unknown>();
		const reading = new Gate();
		let signal!: AbortSignal;
		t.host.onRequest = async (request) => {
			signal = request.signal;
			const bytes = request.body.bytes(1e6);
			reading.open();
			failed.open(await bytes.catch((error: unknown) => error));
			return answerText("late");
		};
		const socket = await open(t.server.port);
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`);
		await reading.opened;
		const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
		socket.destroy();
		expect(await failed.opened).toMatchObject({ name: "AbortError" });
		await aborted;
	});

	test("errors a request stream", async () => {
		await using t = await serving();
		const failed = new Gate<unknown>();
		const reading = new Gate();
		t.host.onRequest = async ({ body }) => {
			const reader = body.stream()!.getReader();
			await reader.read();
			reading.open();
			failed.open(await reader.read().catch((error: unknown) => error));
			return answerText("late");
		};
		const socket = await open(t.server.port);
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`);
		await reading.opened;
		socket.destroy();
		expect(await failed.opened).toMatchObject({ name: "AbortError" });
	});

	test("cancels a response stream", async () => {
		await using t = await serving();
		const cancelled = new Gate<unknown>();
		t.host.onRequest = () => ({
			status: 200,
			headers: { "content-type": "text/event-stream" },
			body: new ReadableStream({
				pull: (controller) => controller.enqueue(Buffer.from("data: x\n\n")),
				cancel: (reason) => cancelled.open(reason),
			}),
		});
		const socket = await open(t.server.port);
		const received = untilReceived(socket, "data: x");
		socket.write(`GET ${t.path} HTTP/1.1\r\nhost: x\r\n\r\n`);
		await received;
		socket.destroy();
		expect(await cancelled.opened).toMatchObject({ name: "AbortError" });
	});

	test("before its actor is ready does not get the call run", async () => {
		await using t = await serving();
		await t.host.stop(t.actorId, "sleep");
		const [starting, gate] = [new Gate(), new Gate()];
		t.host.onStart = () => {
			starting.open();
			return gate.opened;
		};
		let calls = 0;
		t.host.onRequest = () => {
			calls++;
			return answerText("");
		};
		const socket = await open(t.server.port);
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`);
		await starting.opened;
		socket.destroy();
		// A second call over another connection shows that the server noticed the first one's end.
		const answered = fetch(t.server.url + t.path);
		await new Promise((resolve) => socket.once("close", resolve));
		await fetch(`${t.server.url}/health`);
		gate.open();
		expect((await answered).status).toBe(200);
		expect(calls).toBe(1);
	});
});

describe("answers", () => {
	test("keep status, status text, headers and several cookies", async () => {
		await using t = await serving();
		t.host.onRequest = () => ({
			status: 418,
			statusText: "Short And Stout",
			headers: { "x-a": "1", "set-cookie": ["a=1", "b=2"], "content-type": "x/y" },
			body: Uint8Array.of(0, 255, 10),
		});
		const answer = await fetch(t.server.url + t.path);
		expect([answer.status, answer.statusText]).toEqual([418, "Short And Stout"]);
		expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
		expect(answer.headers.get("content-length")).toBe("3");
		expect(new Uint8Array(await answer.arrayBuffer())).toEqual(Uint8Array.of(0, 255, 10));
	});

	test("stream while they are made, and an endless one is cut when it fails", async () => {
		await using t = await serving();
		const gate = new Gate();
		t.host.onRequest = () => ({
			status: 200,
			headers: {},
			body: new ReadableStream({
				async start(controller) {
					controller.enqueue(Buffer.from("first"));
					await gate.opened;
					controller.error(new Error("broken"));
				},
			}),
		});
		const answer = await fetch(`${t.server.url}${t.path}?token=secret`);
		const reader = answer.body!.getReader();
		expect(Buffer.from((await reader.read()).value!).toString()).toBe("first");
		gate.open();
		await expect(reader.read()).rejects.toThrow();
		await expect
			.poll(() => t.log.map(({ level, message }) => `${level}: ${message}`))
			.toEqual(["debug: a streamed answer broke off"]);
		expect(t.log[0]!.fields.path).toBe("/request/x");
	});

	test("are pulled no faster than the client reads", async () => {
		await using t = await serving();
		let pulled = 0;
		t.host.onRequest = () => ({
			status: 200,
			headers: {},
			body: new ReadableStream({
				pull(controller) {
					pulled += 1024 * 1024;
					controller.enqueue(new Uint8Array(1024 * 1024));
				},
			}),
		});
		const answer = await fetch(t.server.url + t.path);
		const reader = answer.body!.getReader();
		for (let read = 0; read < 128 * 1024 * 1024; ) {
			read += (await reader.read()).value!.byteLength;
			expect(pulled - read).toBeLessThan(32 * 1024 * 1024);
		}
		await reader.cancel();
	});

	test("without a body have none: 204, 304, null", async () => {
		await using t = await serving();
		const shapes = [
			{ status: 204, headers: {}, body: "ignored" },
			{ status: 304, headers: {}, body: null },
			{ status: 200, headers: {}, body: null },
		];
		for (const shape of shapes) {
			t.host.onRequest = () => shape;
			const text = await exchange(
				t.server.port,
				`GET ${t.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
			);
			expect(text.startsWith(`HTTP/1.1 ${shape.status}`)).toBe(true);
			expect(text.endsWith("\r\n\r\n")).toBe(true);
		}
	});

	test.each([
		["GET", 200, ["content-length: 0"]],
		["HEAD", 200, ["content-length: 5"]],
		["GET", 204, []],
		["HEAD", 204, []],
		["GET", 304, ["content-length: 5"]],
	])("without a body have one length at most, to %s with %i", async (method, status, lengths) => {
		await using t = await serving();
		t.host.onRequest = () => ({ status, headers: { "content-length": "5" }, body: null });
		const text = await exchange(
			t.server.port,
			`${method} ${t.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
		);
		expect(text.match(/content-length: \d+/gi) ?? []).toEqual(lengths);
	});

	test("with a header that cannot be sent become a masked 500", async () => {
		await using t = await serving();
		t.host.onRequest = () => ({ status: 200, headers: { "x-a": "line\nbreak" }, body: "" });
		const answer = await fetch(`${t.server.url}${t.path}?token=secret`);
		expect(answer.status).toBe(500);
		expect(await answer.json()).toMatchObject({ group: "rivetkit", code: "internal_error" });
		expect(t.log[0]!.fields).toMatchObject({ method: "GET", path: "/request/x" });
	});

	test("that do not begin in time are 504, and the signal fires", async () => {
		await using t = await serving({ limits: { requestTimeoutMs: 100 } });
		const fired = new Gate<unknown>();
		t.host.onRequest = ({ signal }) =>
			new Promise(() => {
				signal.addEventListener("abort", () => fired.open(signal.reason));
			});
		const answer = await fetch(t.server.url + t.path);
		expect(answer.status).toBe(504);
		expect(await answer.json()).toMatchObject({
			group: "guard",
			code: "gateway_response_start_timeout",
		});
		expect(await fired.opened).toMatchObject({ code: "gateway_response_start_timeout" });
	});

	test("of several requests on one connection come in order", async () => {
		await using t = await serving();
		const gate = new Gate();
		t.host.onRequest = async ({ path }) => {
			if (path.endsWith("slow")) {
				await gate.opened;
			} else {
				gate.open();
			}
			return answerText(`<${path}>`);
		};
		const base = `/gateway/${t.actorId}`;
		const text = await exchange(
			t.server.port,
			`GET ${base}/slow HTTP/1.1\r\nhost: x\r\n\r\nGET ${base}/fast HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
		);
		expect(text.match(/<[^>]+>/g)).toEqual(["</slow>", "</fast>"]);
	});
});

describe("limits per address and actor", () => {
	test("refuse calls in flight over the limit with 429", async () => {
		await using t = await serving({ limits: { requestsInFlightMax: 2 } });
		const gate = new Gate();
		const both = new Gate();
		let inFlight = 0;
		t.host.onRequest = async () => {
			if (++inFlight === 2) {
				both.open();
			}
			await gate.opened;
			return answerText("");
		};
		const calls = [fetch(t.server.url + t.path), fetch(t.server.url + t.path)];
		await both.opened;
		const refused = await fetch(t.server.url + t.path);
		expect(refused.status).toBe(429);
		expect(await refused.json()).toMatchObject({ group: "guard", code: "rate_limit" });
		const other = await t.create();
		gate.open();
		expect((await fetch(`${t.server.url}/gateway/${other}/x`)).status).toBe(200);
		await Promise.all(calls);
		expect((await fetch(t.server.url + t.path)).status).toBe(200);
	});

	test("refuse calls over the rate with 429", async () => {
		await using t = await serving({ limits: { requestsPerMinuteMax: 3 } });
		const statuses = [];
		for (let call = 0; call < 4; call++) {
			statuses.push((await fetch(t.server.url + t.path)).status);
		}
		expect(statuses).toEqual([200, 200, 200, 429]);
	});
});

test("a server that lost its client half-way through an upload goes on", async () => {
	await using t = await serving();
	t.host.onRequest = async ({ body }) =>
		answerText(String((await body.bytes(1e9).catch(() => "")).length));
	const sockets = await Promise.all(Array.from({ length: 50 }, () => open(t.server.port)));
	const closed = sockets.map(untilClosed);
	for (const socket of sockets) {
		socket.write(`POST ${t.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf`, () =>
			socket.resetAndDestroy(),
		);
	}
	await Promise.all(closed);
	expect((await fetch(t.server.url + t.path)).status).toBe(200);
});
