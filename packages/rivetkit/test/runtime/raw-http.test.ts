import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";

interface RawContext {
	readonly state: { n: number };
	readonly abortSignal: AbortSignal;
}
type OnRequest = (c: RawContext, request: Request) => unknown;

async function serving(onRequest: OnRequest | undefined, options: object = {}, start: object = {}) {
	const seen: string[] = [];
	const subject = actor({
		state: { n: 0 },
		options,
		...(onRequest ? { onRequest: onRequest as never } : undefined),
		onConnect: (_c, conn) => void seen.push(`onConnect ${conn.kind}`),
		onDisconnect: (_c, conn) => void seen.push(`onDisconnect ${conn.kind}`),
		actions: { n: (c) => c.state.n, nap: (c) => c.sleep() },
	});
	const runtime = await TestRuntime.start({ subject }, start);
	const id = await runtime.actorId("subject");
	return { runtime, id, base: `${runtime.url}/gateway/${id}/request`, seen };
}

/** A response that says what the handler saw. */
async function mirror(_c: unknown, request: Request): Promise<Response> {
	const { pathname, search } = new URL(request.url);
	const body = await request.text();
	const header = request.headers.get("x-custom");
	return Response.json({
		method: request.method,
		path: pathname + search,
		header,
		length: body.length,
	});
}

describe("L38 raw requests", () => {
	it.each([
		["GET", "/a%2Fb?x=%20", "/a%2Fb?x=%20"],
		["POST", "/deep/er/path/", "/deep/er/path/"],
		["DELETE", "?q=1", "/?q=1"],
		["PATCH", "/", "/"],
		["PUT", "", "/"],
		["PROPFIND", "/dav", "/dav"],
	])(
		"P30: %s %s arrives with method, headers, body and path untouched",
		async (method, path, expected) => {
			const { runtime, base } = await serving(mirror);
			await using _ = runtime;
			const response = await fetch(base + path, {
				method,
				headers: { "x-custom": "yes" },
				...(method === "GET" ? {} : { body: "hello" }),
			});
			expect(await response.json()).toEqual({
				method,
				path: expected,
				header: "yes",
				length: method === "GET" ? 0 : 5,
			});
		},
	);

	it("TRACE, which no Request can have, is refused as the caller's mistake", async () => {
		const { runtime, base } = await serving(mirror);
		await using _ = runtime;
		const answered = new Promise<IncomingMessage>((resolve, reject) => {
			httpRequest(base, { method: "TRACE" }, resolve).on("error", reject).end();
		});
		const response = await answered;
		const body = JSON.parse((await response.toArray()).join(""));
		expect([response.statusCode, body]).toEqual([
			400,
			{
				group: "request",
				code: "invalid",
				message: "Invalid request: method TRACE cannot be handed to onRequest",
			},
		]);
		expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
	});

	it("bodies may be large, both ways", async () => {
		const { runtime, base } = await serving(
			async (_c, request) => new Response(await request.arrayBuffer()),
		);
		await using _ = runtime;
		const body = new Uint8Array(3_000_000).map((_byte, index) => index % 251);
		const response = await fetch(`${base}/`, { method: "POST", body });
		const answered = new Uint8Array(await response.arrayBuffer());
		expect(Buffer.compare(answered, body)).toBe(0);
	});

	it("status, headers and several cookies go out as they are, with CORS", async () => {
		const { runtime, base } = await serving(() => {
			const headers = new Headers({ "x-own": "1", "content-type": "text/css" });
			headers.append("set-cookie", "a=1");
			headers.append("set-cookie", "b=2");
			return new Response("body {}", { status: 418, headers });
		});
		await using _ = runtime;
		const response = await fetch(`${base}/`, { headers: { origin: "http://somewhere.test" } });
		expect(response.status).toBe(418);
		expect(response.headers.get("x-own")).toBe("1");
		expect(response.headers.get("content-type")).toBe("text/css");
		expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
		expect(response.headers.get("access-control-allow-origin")).toBe("http://somewhere.test");
	});

	it("HEAD, 204 and 304 have no body", async () => {
		const { runtime, base } = await serving((_c, request) => {
			const status = Number(new URL(request.url).searchParams.get("status"));
			return new Response(status === 200 ? "text" : null, { status });
		});
		await using _ = runtime;
		for (const [method, status] of [
			["HEAD", 200],
			["GET", 204],
			["GET", 304],
		] as const) {
			const response = await fetch(`${base}/?status=${status}`, { method });
			expect([response.status, await response.text()]).toEqual([status, ""]);
		}
	});

	it.each(["json", "cbor", "bare"])(
		"P31: without a handler it is 404 handler.request_not_defined, in %s",
		async (encoding) => {
			const { runtime, base } = await serving(undefined);
			await using _ = runtime;
			const response = await fetch(`${base}/x`, { headers: { "x-rivet-encoding": encoding } });
			expect(response.status).toBe(404);
			expect(Buffer.from(await response.arrayBuffer()).toString("latin1")).toContain(
				"request_not_defined",
			);
		},
	);

	it.each([
		["nothing", () => undefined],
		["null", () => null],
		["a string", () => "text"],
		["something like a response", () => ({ status: 200 })],
		["Response.error()", () => Response.error()],
	])(
		"P31: a handler that returns %s is 500 invalid_request_handler_response",
		async (_what, handler) => {
			const { runtime, base } = await serving(handler);
			await using _ = runtime;
			const response = await fetch(`${base}/x`);
			expect(response.status).toBe(500);
			expect(await response.json()).toMatchObject({ code: "invalid_request_handler_response" });
		},
	);

	it.each([
		[
			"a UserError",
			() => {
				throw new UserError("no", { code: "no" });
			},
			400,
			"no",
		],
		[
			"an error",
			() => {
				throw new Error("secret");
			},
			500,
			"internal_error",
		],
		["a string", () => Promise.reject("secret"), 500, "internal_error"],
		[
			"a used response",
			() => {
				const r = new Response("x");
				void r.text();
				return r;
			},
			500,
			"internal_error",
		],
	])("a handler that throws %s answers with the error", async (_what, handler, status, code) => {
		const { runtime, base, seen } = await serving(handler);
		await using _ = runtime;
		const response = await fetch(`${base}/x`);
		const text = await response.text();
		expect(response.status).toBe(status);
		expect(JSON.parse(text)).toMatchObject({ code });
		expect(text).not.toContain("secret");
		await eventually(() =>
			expect(seen).toEqual(["onConnect raw-request", "onDisconnect raw-request"]),
		);
	});

	it("the answer waits for what the handler wrote", async () => {
		const wrapped = new WrappedStore();
		const add: OnRequest = (c) => {
			c.state.n++;
			return new Response("written");
		};
		const { runtime, id, base } = await serving(add, {}, { store: wrapped.store });
		await using _ = runtime;
		const letGo = wrapped.hold();
		const commits = wrapped.commits.length;
		let answered = false;
		const response = fetch(`${base}/`).then((answer) => {
			answered = true;
			return answer;
		});
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		expect(answered).toBe(false);
		letGo();
		expect(await (await soon(response)).text()).toBe("written");
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
	});

	it("over options.actionTimeout it is 504 request.timed_out, and both signals fire (ruling 23)", async () => {
		const clock = new FakeClock();
		const aborted: string[] = [];
		const entered = new Gate();
		const handler: OnRequest = async (c, request) => {
			request.signal.addEventListener("abort", () => aborted.push("request"));
			c.abortSignal.addEventListener("abort", () => aborted.push("c"));
			entered.open();
			await new Promise(() => {});
		};
		const { runtime, base } = await serving(handler, { actionTimeout: 200 }, { clock });
		await using _ = runtime;
		const response = fetch(`${base}/`);
		await entered.passed;
		await clock.advance(250);
		expect((await soon(response)).status).toBe(504);
		expect(await (await response).json()).toMatchObject({ group: "request", code: "timed_out" });
		expect(aborted.sort()).toEqual(["c", "request"]);
	});
});

describe("L39 streaming", () => {
	it("a request body arrives while it is sent", async () => {
		const chunks: string[] = [];
		const { runtime, base } = await serving(async (_c, request) => {
			const decoder = new TextDecoder();
			for await (const chunk of request.body!) chunks.push(decoder.decode(chunk));
			return new Response(`${chunks.length > 1}`);
		});
		await using _ = runtime;
		const answer = new Gate<string>();
		const upload = httpRequest(`${base}/`, { method: "POST" }, async (response) => {
			let text = "";
			for await (const chunk of response) text += chunk;
			answer.open(text);
		});
		upload.write("first");
		await eventually(() => expect(chunks).toEqual(["first"]));
		upload.end("second");
		expect(await soon(answer.passed)).toBe("true");
		expect(chunks.join("")).toBe("firstsecond");
	});

	it("a response, such as server-sent events, leaves while it is made", async () => {
		let push!: (text: string) => void;
		let end!: () => void;
		const { runtime, base, seen } = await serving(() => {
			const body = new ReadableStream({
				start(controller) {
					push = (text) => controller.enqueue(new TextEncoder().encode(text));
					end = () => controller.close();
				},
			});
			return new Response(body, { headers: { "content-type": "text/event-stream" } });
		});
		await using _ = runtime;
		const response = await soon(fetch(`${base}/`));
		expect(response.headers.get("content-type")).toBe("text/event-stream");
		const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
		for (const text of ["data: 1\n\n", "data: 2\n\n"]) {
			push(text);
			expect(await soon(reader.read())).toEqual({ done: false, value: text });
		}
		expect(seen).toEqual(["onConnect raw-request"]);
		end();
		expect((await soon(reader.read())).done).toBe(true);
		await eventually(() => expect(seen).toHaveLength(2));
	});

	it("each chunk waits for what was written before it", async () => {
		const wrapped = new WrappedStore();
		const handler: OnRequest = (c) => {
			let sent = 0;
			const body = new ReadableStream({
				pull(controller) {
					if (sent++ === 2) {
						controller.close();
						return;
					}
					c.state.n++;
					controller.enqueue(new TextEncoder().encode(`${sent}`));
				},
			});
			return new Response(body);
		};
		const { runtime, base } = await serving(handler, {}, { store: wrapped.store });
		await using _ = runtime;
		const letGo = wrapped.hold();
		const response = fetch(`${base}/`);
		await eventually(() => expect(wrapped.commits.length).toBeGreaterThan(1));
		letGo();
		expect(await (await soon(response)).text()).toBe("12");
	});

	it("a client that goes away fires request.signal and cancels the response", async () => {
		const events: string[] = [];
		const { runtime, base, seen } = await serving((_c, request) => {
			request.signal.addEventListener("abort", () => events.push("signal"));
			const body = new ReadableStream({
				start: (controller) => controller.enqueue(new Uint8Array([1])),
				cancel: () => void events.push("cancel"),
			});
			return new Response(body);
		});
		await using _ = runtime;
		const controller = new AbortController();
		const response = await fetch(`${base}/`, { signal: controller.signal });
		await response.body!.getReader().read();
		controller.abort();
		await eventually(() => expect(events.sort()).toEqual(["cancel", "signal"]));
		await eventually(() => expect(seen).toHaveLength(2));
	});

	it("a client that goes away before the answer aborts the handler", async () => {
		const entered = new Gate();
		const heard = new Gate();
		const { runtime, base } = await serving(async (c, request) => {
			c.abortSignal.addEventListener("abort", () => heard.open());
			entered.open();
			await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
			return new Response("nobody");
		});
		await using _ = runtime;
		const controller = new AbortController();
		const response = fetch(`${base}/`, { signal: controller.signal });
		await entered.passed;
		controller.abort();
		await expect(response).rejects.toThrow("aborted");
		await soon(heard.passed);
	});

	it.each(["/action/n", "/request/", "/queue/q"])(
		"a caller that goes away while its body arrives at %s is no error of ours",
		async (path) => {
			const { runtime, id } = await serving(
				async (_c, request) => new Response(await request.text()),
				{},
			);
			await using _ = runtime;
			const socket = connect(runtime.server.port, "127.0.0.1");
			socket.write(
				`POST /gateway/${id}${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"args"`,
			);
			await eventually(() => expect(runtime.embedded.host.activity).toBe("working"));
			socket.destroy();
			await eventually(() =>
				expect(runtime.log.map(({ message }) => message)).toContain(
					"the caller went away before its call was complete",
				),
			);
			expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
			expect((await wireAction(runtime, id, "n")).output).toBe(0);
		},
	);

	it("a caller that leaves a response which streams its own body back is no error of ours", async () => {
		const { runtime, id } = await serving((_c, request) => new Response(request.body));
		await using _ = runtime;
		const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
		for (let round = 0; round < 20; round++) {
			const socket = connect(runtime.server.port, "127.0.0.1");
			socket.write(
				`POST /gateway/${id}/request/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk}`,
			);
			await new Promise((resolve) => socket.once("data", resolve));
			socket.destroy();
		}
		await eventually(() => expect(runtime.embedded.host.activity).toBe("quiet"));
		const troubles = runtime.log.filter(({ level }) => level === "error" || level === "warn");
		expect(troubles).toEqual([]);
	});

	it("an error of the actor's own is logged, also when the caller has gone", async () => {
		const entered = new Gate();
		const { runtime, base } = await serving(async (_c, request) => {
			entered.open();
			await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
			throw new TypeError("a bug");
		});
		await using _ = runtime;
		const controller = new AbortController();
		const response = fetch(`${base}/`, { signal: controller.signal });
		response.catch(() => {});
		await entered.passed;
		controller.abort();
		await eventually(() =>
			expect(runtime.log.filter(({ level }) => level === "error")).toEqual([
				expect.objectContaining({ message: "internal error" }),
			]),
		);
	});

	it("is logged with its path, not with its query, which may hold secrets", async () => {
		const { runtime, base } = await serving(() => {
			throw new TypeError("a bug");
		});
		await using _ = runtime;
		expect((await fetch(`${base}/a/b?token=secret`)).status).toBe(500);
		const [line] = runtime.log.filter(({ level }) => level === "error");
		expect(line!.fields.path).toBe("/request/a/b");
	});

	describe("the body of a response that goes to nobody is cancelled", () => {
		/** A response without an end, such as server-sent events, which tells when it is cancelled. */
		function endless() {
			const cancelled = new Gate<unknown>();
			const body = new ReadableStream({
				start: (controller) => controller.enqueue(new Uint8Array([1])),
				cancel: (reason) => cancelled.open(reason),
			});
			return { response: new Response(body), cancelled: soon(cancelled.passed, 5_000) };
		}

		it("when what the handler wrote is lost", async () => {
			const wrapped = new WrappedStore();
			const { response, cancelled } = endless();
			const handler: OnRequest = (c) => {
				c.state.n++;
				wrapped.failNext();
				return response;
			};
			const { runtime, base } = await serving(handler, {}, { store: wrapped.store });
			await using _ = runtime;
			expect((await fetch(`${base}/`)).status).toBe(500);
			expect(String(await cancelled)).toContain("disk full");
		});

		it("when what was written before a chunk of it is lost", async () => {
			const wrapped = new WrappedStore();
			const cancelled = new Gate();
			const handler: OnRequest = (c) => {
				let chunks = 0;
				const body = new ReadableStream({
					pull: (controller) => {
						if (chunks++ === 1) {
							c.state.n++;
							wrapped.failNext();
						}
						controller.enqueue(new Uint8Array([1]));
					},
					cancel: () => cancelled.open(),
				});
				return new Response(body);
			};
			const { runtime, base } = await serving(handler, {}, { store: wrapped.store });
			await using _ = runtime;
			const response = await fetch(`${base}/`);
			await expect(response.arrayBuffer()).rejects.toThrow();
			await soon(cancelled.passed, 5_000);
		});

		it("when it comes after options.actionTimeout", async () => {
			const clock = new FakeClock();
			const [entered, late] = [new Gate(), new Gate()];
			const { response, cancelled } = endless();
			const handler: OnRequest = async () => {
				entered.open();
				await late.passed;
				return response;
			};
			const { runtime, base } = await serving(handler, { actionTimeout: 200 }, { clock });
			await using _ = runtime;
			const answer = fetch(`${base}/`);
			await entered.passed;
			await clock.advance(250);
			expect((await soon(answer)).status).toBe(504);
			late.open();
			await cancelled;
		});

		it("when it comes after a stop has given its call up", async () => {
			const clock = new FakeClock();
			const [entered, late] = [new Gate(), new Gate()];
			const { response, cancelled } = endless();
			const handler: OnRequest = async () => {
				entered.open();
				await late.passed;
				return response;
			};
			const { runtime, id, base } = await serving(handler, { sleepGracePeriod: 500 }, { clock });
			await using _ = runtime;
			const answer = fetch(`${base}/`);
			await entered.passed;
			await wireAction(runtime, id, "nap");
			await clock.advance(600);
			expect((await soon(answer)).ok).toBe(false);
			late.open();
			await cancelled;
		});
	});

	it("a response that breaks off cuts the connection, and the actor lives", async () => {
		const { runtime, id, base } = await serving(() => {
			let sent = false;
			const body = new ReadableStream({
				pull(controller) {
					if (sent) throw new Error("source broke");
					sent = true;
					controller.enqueue(new Uint8Array([1]));
				},
			});
			return new Response(body);
		});
		await using _ = runtime;
		const response = await fetch(`${base}/`);
		await expect(response.arrayBuffer()).rejects.toThrow();
		expect(runtime.log.some(({ message }) => message.includes("broke off"))).toBe(true);
		expect((await wireAction(runtime, id, "n")).output).toBe(0);
	});

	it("a stop waits for a streaming response, for as long as the grace period lasts", async () => {
		const clock = new FakeClock();
		let push!: () => void;
		const handler = () =>
			new Response(
				new ReadableStream({
					start(controller) {
						push = () => controller.enqueue(new Uint8Array([1]));
						push();
					},
				}),
			);
		const { runtime, id, base } = await serving(handler, { sleepGracePeriod: 500 }, { clock });
		await using _ = runtime;
		const response = await fetch(`${base}/`);
		const reader = response.body!.getReader();
		await reader.read();
		await wireAction(runtime, id, "nap");
		await clock.advance(400);
		push();
		expect((await soon(reader.read())).done).toBe(false);
		await clock.advance(200);
		await expect(soon(reader.read())).rejects.toThrow("terminated");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
	});
});
