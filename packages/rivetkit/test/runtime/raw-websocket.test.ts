import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import type { UniversalWebSocket } from "../../src/actor/web-socket.types.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";
import { WireSocket, type WireSocketOptions } from "../support/wire-socket.ts";

interface RawContext {
	readonly state: { n: number };
	readonly request: Request;
	readonly conn: { disconnect(reason: string): Promise<void> };
}
type OnWebSocket = (c: RawContext, socket: UniversalWebSocket) => unknown;

async function serving(
	onWebSocket: OnWebSocket | undefined,
	options: object = {},
	start: object = {},
) {
	const subject = actor({
		state: { n: 0 },
		options,
		...(onWebSocket ? { onWebSocket: onWebSocket as never } : undefined),
		actions: { n: (c) => c.state.n, nap: (c) => c.sleep() },
	});
	const runtime = await TestRuntime.start({ subject }, start);
	const id = await runtime.actorId("subject");
	const open = (path = "/", socketOptions?: WireSocketOptions) =>
		new WireSocket(`${runtime.url}/gateway/${id}/websocket${path}`, socketOptions);
	return { runtime, id, open };
}

const echo: OnWebSocket = (_c, socket) => {
	socket.addEventListener("message", ({ data }) => socket.send(data));
};

describe("L40 raw WebSockets", () => {
	it("P48: text stays text and binary stays binary, also in frames of 2 MB", async () => {
		const { runtime, open } = await serving(echo);
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		const big = new Uint8Array(2_000_000).fill(7);
		for (const message of ["text", "", "é€", new Uint8Array([0, 255]), new Uint8Array(), big]) {
			socket.ws.send(message);
			expect(await soon(socket.raw())).toEqual(message);
		}
	});

	it("what is logged of one that is refused has its path, not its query, which may hold secrets", async () => {
		const { runtime, open } = await serving(echo);
		await using _ = runtime;
		await using socket = open("/x?token=secret", { protocols: ["rivet", "rivet_encoding.none"] });
		await soon(new Promise((resolve) => socket.ws.addEventListener("close", resolve)));
		expect(runtime.log.flatMap(({ fields }) => fields.path ?? [])).toEqual(["/websocket/x"]);
	});

	it("listeners are told that it is open, once and before its messages; what they write is kept", async () => {
		const { runtime, id, open } = await serving((c, socket) => {
			const say = (what: string) => {
				c.state.n++;
				socket.send(what);
			};
			socket.onopen = ({ type }) => say(`onopen: ${type}`);
			socket.addEventListener("open", () => say("listener"));
			socket.addEventListener("message", ({ data }) => say(data));
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("message");
		for (const expected of ["onopen: open", "listener", "message"]) {
			expect(await soon(socket.raw())).toBe(expected);
		}
		expect((await wireAction(runtime, id, "n")).output).toBe(3);
	});

	it("the handler sees path and query, sub-protocol and the standard's members", async () => {
		const { runtime, open } = await serving((c, socket) => {
			socket.send(
				JSON.stringify({
					url: c.request.url,
					socketUrl: socket.url,
					protocol: socket.protocol,
					states: [socket.readyState, socket.OPEN, socket.CLOSED],
					binaryType: socket.binaryType,
					buffered: socket.bufferedAmount,
				}),
			);
		});
		await using _ = runtime;
		await using socket = open("/sub/path?x=%20", { protocols: ["chat"] });
		expect(JSON.parse((await soon(socket.raw())) as string)).toEqual({
			url: "http://actor/websocket/sub/path?x=%20",
			socketUrl: "ws://actor/websocket/sub/path?x=%20",
			protocol: "chat",
			states: [1, 1, 3],
			binaryType: "arraybuffer",
			buffered: 0,
		});
		expect(socket.ws.protocol).toBe("chat");
	});

	it("binary arrives as ArrayBuffer, as Blob when asked for, and blobs can be sent, in order", async () => {
		const seen: unknown[] = [];
		const { runtime, open } = await serving((_c, socket) => {
			socket.onmessage = ({ data }) => {
				seen.push(data instanceof Blob ? "blob" : data instanceof ArrayBuffer ? "buffer" : data);
				if (seen.length === 1) socket.binaryType = "blob";
				socket.send(new Blob(["from a blob"]));
				socket.send("after it");
			};
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send(new Uint8Array([1]));
		expect(new TextDecoder().decode((await soon(socket.raw())) as Uint8Array)).toBe("from a blob");
		expect(await soon(socket.raw())).toBe("after it");
		socket.ws.send(new Uint8Array([1]));
		await soon(socket.raw());
		expect(seen).toEqual(["buffer", "blob"]);
	});

	it("what is neither text nor bytes is refused with its type", async () => {
		const refused = (socket: UniversalWebSocket, value: unknown) => {
			try {
				socket.send(value as string);
				return "sent";
			} catch (error) {
				return `${(error as Error).name}: ${(error as Error).message.split(":")[0]}`;
			}
		};
		const values = [5, { a: 1 }, [1, 2], null, undefined, true, 10n, new Map()];
		const { runtime, open } = await serving((_c, socket) => {
			socket.onmessage = () =>
				socket.send(values.map((value) => refused(socket, value)).join("; "));
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("go");
		expect(await soon(socket.raw())).toBe(
			["number", "Object", "Array", "null", "undefined", "boolean", "bigint", "Map"]
				.map((type) => `TypeError: A WebSocket sends text or bytes, not ${type}`)
				.join("; "),
		);
	});

	it("bytes of the actor's state are sent as they are, wider ones too", async () => {
		const { runtime, open } = await serving((c, socket) => {
			const { state } = c as unknown as { state: Record<string, Uint8Array | Uint16Array> };
			state.bytes = new Uint8Array([1, 2]);
			state.words = new Uint16Array([0x0403]);
			socket.onmessage = () => {
				socket.send(state.bytes!);
				socket.send(state.words!);
			};
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("go");
		const sent = [await soon(socket.raw()), await soon(socket.raw())];
		expect(sent.map((data) => [...(data as Uint8Array)])).toEqual([
			[1, 2],
			[3, 4],
		]);
	});

	it("what is sent is a copy of the moment", async () => {
		const { runtime, open } = await serving((_c, socket) => {
			socket.onmessage = () => {
				const bytes = new Uint8Array([1, 2, 3]);
				socket.send(bytes.subarray(1));
				bytes.fill(9);
			};
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("go");
		expect(await soon(socket.raw())).toEqual(new Uint8Array([2, 3]));
	});

	it("close codes and reasons pass both ways; what was sent before arrives", async () => {
		const closes: unknown[] = [];
		const { runtime, open } = await serving((_c, socket) => {
			socket.addEventListener("close", ({ code, reason, wasClean }) => {
				closes.push([code, reason, wasClean]);
			});
			socket.addEventListener("message", ({ data }) => {
				socket.send("last words");
				socket.close(Number(data), "from the actor");
				socket.send("never");
			});
		});
		await using _ = runtime;
		await using byClient = open();
		await byClient.opened();
		byClient.ws.close(4001, "from the client");
		await eventually(() => expect(closes).toEqual([[4001, "from the client", true]]));
		for (const code of [1000, 1008, 1011, 3000, 4999]) {
			await using socket = open();
			await socket.opened();
			socket.ws.send(`${code}`);
			expect(await soon(socket.raw())).toBe("last words");
			expect(await soon(socket.closed)).toEqual({ code, reason: "from the actor" });
			expect(socket.unread).toEqual([]);
		}
		expect(closes.at(-1)).toEqual([4999, "from the actor", true]);
		await using lost = open();
		await lost.opened();
		lost.ws.terminate();
		await eventually(() => expect(closes.at(-1)).toEqual([1006, "", false]));
	});

	it.each([1005, 1006, 1015, 999, 2999, 5000, 1000.5])("refuses to close with %d", async (code) => {
		const { runtime, open } = await serving((_c, socket) => {
			try {
				socket.close(code);
			} catch (error) {
				socket.send((error as Error).name);
			}
		});
		await using _ = runtime;
		await using socket = open();
		expect(await soon(socket.raw())).toBe("RangeError");
	});

	it("conn.disconnect lets what was sent before arrive, and ends the delivery of messages", async () => {
		let messages = 0;
		const { runtime, open } = await serving((c, socket) => {
			socket.onmessage = () => {
				messages++;
				c.state.n++;
				socket.send("bye");
				void c.conn.disconnect("over");
			};
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("1");
		socket.ws.send("2");
		expect(await soon(socket.raw())).toBe("bye");
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "over" });
		expect(messages).toBe(1);
	});

	it("a message waits for what the listener wrote before it sent", async () => {
		const wrapped = new WrappedStore();
		const add: OnWebSocket = (c, socket) => {
			socket.onmessage = () => socket.send(`${++c.state.n}`);
		};
		const { runtime, open } = await serving(add, {}, { store: wrapped.store });
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		const letGo = wrapped.hold();
		const commits = wrapped.commits.length;
		socket.ws.send("go");
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		await soon(socket.roundTrip());
		const answer = socket.raw();
		letGo();
		expect(await soon(answer)).toBe("1");
	});
});

describe("L40 failing handlers (W-RAW-2, ruling 24)", () => {
	it("without a handler the socket is closed with 1011 and the reason", async () => {
		const { runtime, open } = await serving(undefined);
		await using _ = runtime;
		await using socket = open();
		expect(await soon(socket.closed)).toEqual({
			code: 1011,
			reason: "handler.websocket_not_defined",
		});
	});

	it.each([
		[
			"throws a UserError",
			() => {
				throw new UserError("no", { code: "no" });
			},
			"user.no",
		],
		[
			"throws an error",
			() => {
				throw new Error("secret");
			},
			"rivetkit.internal_error",
		],
		["rejects", () => Promise.reject(new Error("secret")), "rivetkit.internal_error"],
		[
			"throws a string",
			() => {
				throw "secret";
			},
			"rivetkit.internal_error",
		],
	])("one that %s closes with 1011 and the masked code", async (_what, handler, reason) => {
		const { runtime, id, open } = await serving(handler);
		await using _ = runtime;
		await using socket = open();
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason });
		expect((await wireAction(runtime, id, "n")).output).toBe(0);
	});

	it.each(["throws", "rejects"])(
		"a listener that %s is logged and closes that socket only",
		async (how) => {
			const { runtime, open } = await serving((_c, socket) => {
				socket.addEventListener("message", ({ data }) => {
					if (data !== "fail") socket.send("fine");
					else if (how === "throws") throw new Error("in the listener");
					else return Promise.reject(new Error("in the listener"));
					return undefined;
				});
			});
			await using _ = runtime;
			await using failing = open();
			await using other = open();
			await Promise.all([failing.opened(), other.opened()]);
			failing.ws.send("fail");
			expect(await soon(failing.closed)).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
			other.ws.send("ok");
			expect(await soon(other.raw())).toBe("fine");
			const errors = runtime.log.filter(({ level }) => level === "error");
			expect(errors[0]?.fields.err).toEqual(new Error("in the listener"));
		},
	);

	it("a close listener that throws is logged", async () => {
		const { runtime, open } = await serving((_c, socket) => {
			socket.onclose = () => {
				throw new Error("in onclose");
			};
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.close();
		await eventually(() => {
			const errors = runtime.log.filter(({ level }) => level === "error");
			expect(errors[0]?.fields.err).toEqual(new Error("in onclose"));
		});
	});
});

describe("W-RAW-3 messages before the handler listens", () => {
	it("wait until it does, in order", async () => {
		const gate = new Gate();
		const seen: unknown[] = [];
		const { runtime, open } = await serving(async (_c, socket) => {
			await gate.passed;
			socket.addEventListener("message", ({ data }) => void seen.push(data));
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		for (const message of ["1", "2", "3"]) socket.ws.send(message);
		await soon(socket.roundTrip());
		expect(seen).toEqual([]);
		gate.open();
		await eventually(() => expect(seen).toEqual(["1", "2", "3"]));
	});

	it("reach a handler that goes on for as long as the socket, from the moment it listens", async () => {
		const clock = new FakeClock();
		const { runtime, open } = await serving(
			async (_c, socket) => {
				const first = await new Promise((resolve) => {
					socket.addEventListener("message", ({ data }) => resolve(data), { once: true });
				});
				socket.addEventListener("message", ({ data }) => socket.send(`${first}, then ${data}`));
				await new Promise((resolve) => socket.addEventListener("close", resolve));
			},
			{},
			{ clock },
		);
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("hello");
		await soon(socket.roundTrip());
		// Longer than a gateway waits for a socket to be taken over.
		await clock.advance(60_000);
		socket.ws.send("more");
		expect(await soon(socket.raw())).toBe("hello, then more");
	});

	it("are bounded", async () => {
		const { runtime, open } = await serving(() => new Promise(() => {}));
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		const chunk = new Uint8Array(1024 * 1024);
		for (let sent = 0; sent < 17; sent++) socket.ws.send(chunk);
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "connection.backlog_full" });
	});
});

describe("W-RAW-4 listeners that take time", () => {
	it("count as work: a stop waits for them, and their changes are saved", async () => {
		const gate = new Gate();
		const { runtime, id, open } = await serving((c, socket) => {
			socket.addEventListener("message", async () => {
				await gate.passed;
				c.state.n++;
			});
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("go");
		await soon(socket.roundTrip());
		await wireAction(runtime, id, "nap");
		await soon(socket.roundTrip());
		expect(runtime.embedded.host.liveActorIds).toEqual([id]);
		gate.open();
		expect((await soon(socket.closed)).code).toBe(1000);
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
	});
});

describe("listeners", () => {
	it("are added once, removed, called once when asked, and may be objects", async () => {
		const seen: string[] = [];
		const { runtime, open } = await serving((_c, socket) => {
			const twice = () => void seen.push("twice");
			const removed = () => void seen.push("removed");
			socket.addEventListener("message", twice);
			socket.addEventListener("message", twice);
			socket.addEventListener("message", removed);
			socket.removeEventListener("message", removed);
			const late = () => void seen.push("removed by an earlier one");
			socket.addEventListener("message", () => socket.removeEventListener("message", late));
			socket.addEventListener("message", late);
			socket.addEventListener("message", () => void seen.push("once"), { once: true });
			const target = socket as unknown as EventTarget;
			target.addEventListener("message", { handleEvent: () => void seen.push("object") });
		});
		await using _ = runtime;
		await using socket = open();
		await socket.opened();
		socket.ws.send("1");
		socket.ws.send("2");
		await soon(socket.roundTrip());
		expect(seen).toEqual(["twice", "once", "object", "twice", "object"]);
	});
});
