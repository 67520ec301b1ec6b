// Actions that stream (ours; decision record 0029): over real sockets, in all encodings, and in one process.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction } from "../support/wire-http.ts";

/** What the actors did, by their key. */
const seen = new Map<string, string[]>();
const gates = new Map<string, Gate>();
const say = (c: { readonly key: readonly string[] }, what: string) => {
	const key = c.key.join("/");
	seen.set(key, [...(seen.get(key) ?? []), what]);
};
const gate = (key: string): Gate => {
	const made = gates.get(key) ?? new Gate();
	gates.set(key, made);
	return made;
};

const LARGE = "x".repeat(64 * 1024);

const streamer = actor({
	state: { n: 0 },
	options: { sleepTimeout: 100, sleepGracePeriod: 500 },
	onConnect: (c, conn) => say(c, `connect ${conn.kind}`),
	onDisconnect: (c, conn) => say(c, `disconnect ${conn.kind}`),
	onSleep: (c) => say(c, "sleep"),
	actions: {
		async *count(c, to: number) {
			for (let n = 1; n <= to; n++) {
				c.state.n++;
				yield n;
			}
			return "done";
		},
		async *values(_c, ...values: unknown[]) {
			yield* values;
		},
		async *large(c, count: number) {
			try {
				for (let n = 0; n < count; n++) {
					say(c, `pulled ${n}`);
					yield LARGE;
				}
			} finally {
				say(c, `left ${c.aborted}`);
				c.state.n = -1;
			}
		},
		async *forever(c) {
			const over = new Promise<string>((resolve) =>
				c.abortSignal.addEventListener("abort", () => resolve("aborted"), { once: true }),
			);
			try {
				yield "first";
				say(c, await over);
			} finally {
				c.state.n = -1;
				say(c, "left");
			}
		},
		async *gated(c) {
			yield "before";
			await gate(c.key.join("/")).passed;
			yield "after";
		},
		async *fails(c, what: string) {
			c.state.n++;
			yield 1;
			c.state.n++;
			if (what === "user") throw new UserError("No", { code: "no", metadata: { why: 1 } });
			if (what === "large") yield "x".repeat(2_000_000);
			if (what === "unencodable") yield () => {};
			throw new Error("secret");
		},
		async *failsAtOnce(c) {
			if (c.key.length > 0) throw new UserError("No", { code: "no" });
			yield 1;
		},
		async *writes(c, to: number) {
			for (let n = 0; n < to; n++) yield ++c.state.n;
		},
		wrapped: async (c) => {
			say(c, "called");
			return new ReadableStream({
				start(controller) {
					for (const part of ["a", "b"]) controller.enqueue(part);
					controller.close();
				},
			});
		},
		checked: {
			input: z.number(),
			async *handler(_c, n: number) {
				yield n;
			},
		},
		add: (c) => ++c.state.n,
		n: (c) => c.state.n,
		nap: (c) => c.sleep(),
		relay: async (c, to: number) => {
			const items: unknown[] = [];
			const client = c.client() as ReturnType<TestRuntime["client"]>;
			const other = client.streamer!.getOrCreate(["relayed"]) as unknown as Untyped;
			for await (const item of other.count!(to)) items.push(item);
			return items;
		},
	},
	onRequest: (c, request) => {
		let n = 0;
		request.signal.addEventListener("abort", () => say(c, "request aborted"), { once: true });
		c.abortSignal.addEventListener("abort", () => say(c, "c aborted"), { once: true });
		const encoder = new TextEncoder();
		const body = new ReadableStream<Uint8Array>({
			async pull(controller) {
				if (n > 0) await gate(`${c.key[0]}/${n}`).passed;
				controller.enqueue(encoder.encode(`id: ${n}\ndata: ${JSON.stringify({ n })}\n\n`));
				n++;
			},
			cancel: () => say(c, "body cancelled"),
		});
		return new Response(body, { headers: { "content-type": "text/event-stream" } });
	},
});

/** One whose items must come soon. */
const hasty = actor({
	options: { actionTimeout: 300, sleepTimeout: 100 },
	onSleep: (c) => say(c, "sleep"),
	actions: {
		async *large() {
			for (;;) yield LARGE;
		},
		async *hangs() {
			yield 1;
			await new Promise(() => {});
		},
	},
});

let runtime: TestRuntime;
const store = new WrappedStore();
const failing = actor({
	state: { n: 0 },
	options: { rollbackOnError: true },
	onBeforeActionResponse: (_c, name, _args, output) => `${name}: ${output}` as never,
	actions: {
		async *count(c) {
			c.state.n = 1;
			yield "one";
			c.state.n = 2;
			throw new UserError("No", { code: "no" });
		},
		n: (c) => c.state.n,
		async *tokens() {
			yield "a";
			return "b";
		},
	},
});

beforeAll(async () => {
	runtime = await TestRuntime.start({ streamer, hasty, failing }, { store: store.store });
});
afterAll(() => runtime[Symbol.asyncDispose]());

type Untyped = Record<string, (...args: unknown[]) => Promise<unknown> & AsyncIterable<unknown>>;
const clients = { bare: 0, cbor: 0, json: 0, "in process": 0 };
type Kind = keyof typeof clients;
const KINDS = Object.keys(clients) as Kind[];
let keys = 0;

/** A handle, or a connection, to an actor of its own. */
function open(kind: Kind, how: "handle" | "connection" = "handle", key = `key ${keys++}`) {
	const client = kind === "in process" ? runtime.localClient() : runtime.client(kind);
	const handle = client.streamer!.getOrCreate([key]);
	const subject = how === "handle" ? handle : handle.connect();
	return {
		key,
		seen: () => seen.get(key) ?? [],
		subject: subject as unknown as Untyped,
		call: subject,
		[Symbol.asyncDispose]: () => client.dispose(),
	};
}

/** Everything an iterator gives, its return value last. */
async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
	const iterator = stream[Symbol.asyncIterator]();
	const items: unknown[] = [];
	for (;;) {
		const { done, value } = await soon(iterator.next());
		items.push(value);
		if (done) return items;
	}
}

describe.each(KINDS)("streams, %s", (kind) => {
	it.each(["handle", "connection"] as const)("of a %s give items and result", async (how) => {
		await using opened = open(kind, how);
		const { subject } = opened;
		expect(await collect(subject.count!(3))).toEqual([1, 2, 3, "done"]);
		expect(await collect(subject.count!(0))).toEqual(["done"]);
		expect(await collect(subject.checked!(7))).toEqual([7, undefined]);
		expect(await subject.n!()).toBe(3);
		expect(opened.seen().filter((line) => line === "connect http").length).toBeGreaterThan(0);
	});

	it("carry what results carry", async () => {
		await using opened = open(kind);
		const plain = [null, "ü\n", 1n, new Uint8Array([1, 2]), { a: [1] }, ""];
		const values = kind === "json" ? plain : [...plain, undefined, new Date(5)];
		expect(await collect(opened.subject.values!(...values))).toEqual([...values, undefined]);
	});

	it("end with the error of the action, behind the items before it", async () => {
		await using opened = open(kind);
		for (const [what, code] of [
			["user", "user.no"],
			["secret", "rivetkit.internal_error"],
			["large", "message.outgoing_too_long"],
			["unencodable", "rivetkit.internal_error"],
		] as const) {
			const items: unknown[] = [];
			const reading = (async () => {
				for await (const item of opened.subject.fails!(what)) items.push(item);
			})();
			const error = await soon(reading).then(
				() => null,
				(thrown) => thrown,
			);
			expect([items, codeOf(error)]).toEqual([[1], code]);
			expect(error.message).not.toContain("secret");
			if (what === "user") expect(error.metadata).toEqual({ why: 1 });
		}
		expect(await outcomeOf(collect(opened.subject.failsAtOnce!()))).toBe("user.no");
		expect(await outcomeOf(collect(opened.subject.absent!()))).toBe("action.not_found");
		expect(await outcomeOf(collect(opened.subject.checked!("x")))).toBe("action.invalid_request");
	});

	it("leaving the loop ends the generator, and its caller's connection", async () => {
		await using opened = open(kind);
		for await (const item of opened.subject.forever!()) {
			expect(item).toBe("first");
			break;
		}
		await eventually(() =>
			expect(opened.seen()).toEqual(
				expect.arrayContaining(["connect http", "left", "disconnect http"]),
			),
		);
		// What `finally` wrote is kept.
		expect(await opened.subject.n!()).toBe(-1);
	});

	it("`return` ends a generator that its reader waits for", async () => {
		await using opened = open(kind);
		const iterator = opened.subject.forever!()[Symbol.asyncIterator]();
		expect(await iterator.next()).toEqual({ done: false, value: "first" });
		const second = iterator.next();
		expect(await soon(iterator.return!("mine"))).toEqual({ done: true, value: "mine" });
		expect(await soon(second)).toEqual({ done: true, value: undefined });
		await eventually(() => expect(opened.seen()).toContain("aborted"));
		expect(opened.seen()).toContain("left");
	});

	it.each(["handle", "connection"] as const)(
		"the signal of a call of a %s ends it",
		async (how) => {
			await using opened = open(kind, how);
			const stop = new AbortController();
			const call = { name: "forever", args: [], signal: stop.signal };
			const iterator = opened.call.action(call)[Symbol.asyncIterator]();
			expect(await iterator.next()).toEqual({ done: false, value: "first" });
			const second = iterator.next();
			stop.abort(new Error("enough"));
			await expect(soon(second)).rejects.toThrow("enough");
			await eventually(() => expect(opened.seen()).toContain("left"));
		},
	);

	it("a reader that stops is waited for: the generator is not asked for more", async () => {
		await using opened = open(kind);
		const iterator = opened.subject.large!(1_000)[Symbol.asyncIterator]();
		expect((await iterator.next()).value).toBe(LARGE);
		const pulled = () => opened.seen().filter((line) => line.startsWith("pulled")).length;
		let before = 0;
		await eventually(async () => {
			before = pulled();
			await new Promise((resolve) => setTimeout(resolve, 150));
			expect(pulled()).toBe(before);
		});
		// What is on its way is in the buffers of two sockets, and of one process in none.
		expect(before).toBeLessThan(kind === "in process" ? 2 : 500);
		await iterator.return!();
		await eventually(() => expect(opened.seen()).toContain("left true"));
	});

	it.each(["handle", "connection"] as const)(
		"awaiting the call of a %s is refused, and nothing runs",
		async (how) => {
			await using opened = open(kind, how);
			expect(await outcomeOf(opened.subject.count!(3))).toBe("action.is_stream");
			expect(await opened.subject.n!()).toBe(0);
			// Iterated at once it is one call, not two; iterated late, or never, it is no unhandled rejection.
			expect(await collect(opened.subject.wrapped!())).toEqual(["a", "b", undefined]);
			expect(opened.seen().filter((line) => line === "called")).toHaveLength(1);
			const late = opened.subject.count!(2);
			await opened.subject.n!();
			expect(await collect(late)).toEqual([1, 2, "done"]);
			expect(await collect(late)).toEqual([undefined]);
			expect(await opened.subject.n!()).toBe(2);
		},
	);

	it("an action that does not stream says so", async () => {
		await using opened = open(kind);
		expect(await outcomeOf(collect(opened.subject.add!()))).toBe("action.not_a_stream");
		expect(await opened.subject.n!()).toBe(1);
	});

	it("are multiplexed with other calls and with each other", async () => {
		await using opened = open(kind);
		const streams = Array.from({ length: 5 }, () => collect(opened.subject.count!(20)));
		const adding = Array.from({ length: 20 }, () => opened.subject.add!());
		const items = await Promise.all(streams);
		await Promise.all(adding);
		for (const list of items) expect(list).toHaveLength(21);
		expect(await opened.subject.n!()).toBe(120);
	});
});

describe("a stream", () => {
	it("keeps its actor awake while its reader waits, and no longer", async () => {
		await using client = runtime.client();
		const subject = client.hasty!.getOrCreate(["waits"]) as unknown as Untyped;
		const iterator = subject.large!()[Symbol.asyncIterator]();
		await iterator.next();
		// Longer than `sleepTimeout` and than `actionTimeout`, which is for the time to each item.
		await new Promise((resolve) => setTimeout(resolve, 700));
		expect(seen.get("waits")).toBeUndefined();
		expect((await iterator.next()).value).toBe(LARGE);
		await iterator.return!();
		await eventually(() => expect(seen.get("waits")).toEqual(["sleep"]));
	});

	it("an item that takes longer than `actionTimeout` ends it", async () => {
		await using client = runtime.client();
		const subject = client.hasty!.getOrCreate(["hangs"]) as unknown as Untyped;
		expect(await outcomeOf(collect(subject.hangs!()))).toBe("action.timed_out");
	});

	it("gives an item when what was written before it is durable", async () => {
		await using opened = open("json");
		await opened.subject.n!();
		const release = store.hold();
		try {
			const iterator = opened.subject.writes!(2)[Symbol.asyncIterator]();
			let arrived = false;
			const first = iterator.next().then((result) => {
				arrived = true;
				return result;
			});
			await eventually(() => expect(store.commits.at(-1)).toBeDefined());
			await new Promise((resolve) => setTimeout(resolve, 50));
			expect(arrived).toBe(false);
			release();
			expect((await soon(first)).value).toBe(1);
			const id = await runtime.actorId("streamer", opened.key);
			const { n } = (await store.stateOf(id)) as { n: number };
			expect(n).toBeGreaterThanOrEqual(1);
			expect((await soon(iterator.next())).value).toBe(2);
		} finally {
			release();
		}
	});

	it("fails when a commit fails, and the item of that commit does not leave", async () => {
		await using opened = open("json");
		await opened.subject.n!();
		const id = await runtime.actorId("streamer", opened.key);
		// Actors of other tests may be on their way to sleep.
		store.fail = ({ actorId }) => {
			if (actorId !== id) return undefined;
			store.fail = null;
			return new Error("disk full");
		};
		const items: unknown[] = [];
		const reading = (async () => {
			for await (const item of opened.subject.writes!(2)) items.push(item);
		})();
		expect([await outcomeOf(reading), items]).toEqual(["rivetkit.internal_error", []]);
		expect(await opened.subject.n!()).toBe(0);
	});

	it("passes each value through onBeforeActionResponse; a failure takes back what no item left with", async () => {
		await using client = runtime.client();
		const subject = client.failing!.getOrCreate(["a"]) as unknown as Untyped;
		expect(await collect(subject.tokens!())).toEqual(["tokens: a", "tokens: b"]);
		expect(await outcomeOf(collect(subject.count!()))).toBe("user.no");
		expect(await subject.n!()).toBe("n: 1");
	});

	it("hears of a stop; what does not end within the grace period breaks off with actor.stopping", async () => {
		await using opened = open("bare");
		const forever = opened.subject.forever!()[Symbol.asyncIterator]();
		const gated = opened.subject.gated!()[Symbol.asyncIterator]();
		expect([(await forever.next()).value, (await gated.next()).value]).toEqual(["first", "before"]);
		const [last, cut] = [forever.next(), gated.next()];
		cut.catch(() => {});
		await opened.subject.nap!();
		expect(await soon(last)).toEqual({ done: true, value: undefined });
		expect(await outcomeOf(soon(cut))).toBe("actor.stopping");
	});

	it("works from actor to actor", async () => {
		await using opened = open("bare");
		expect(await opened.subject.relay!(4)).toEqual([1, 2, 3, 4]);
	});

	it("of a connection ends with `dispose`", async () => {
		await using opened = open("bare", "connection");
		const iterator = opened.subject.forever!()[Symbol.asyncIterator]();
		await iterator.next();
		const second = iterator.next();
		await (opened.call as unknown as AsyncDisposable)[Symbol.asyncDispose]();
		await expect(soon(second)).rejects.toThrow("disposed actor connection");
		await eventually(() => expect(opened.seen()).toContain("left"));
	});

	it("is lines of JSON for those who read it by hand, and refused to those who do not ask for it", async () => {
		const id = await runtime.actorId("streamer", "by hand");
		const response = await fetch(`${runtime.url}/gateway/${id}/action/count`, {
			method: "POST",
			headers: { "x-rivet-stream": "1" },
			body: JSON.stringify({ args: [2] }),
		});
		expect(response.headers.get("content-type")).toBe("application/x-ndjson");
		expect(response.headers.get("cache-control")).toBe("no-store, no-transform");
		expect(await response.text()).toBe('{"value":1}\n{"value":2}\n{"done":true,"value":"done"}\n');
		for (const encoding of ["json", "cbor", "bare"] as const) {
			const { status, error } = await wireAction(runtime, id, "count", [2], { encoding });
			expect([status, error?.group, error?.code]).toEqual([400, "action", "is_stream"]);
		}
	});
});

describe("server-sent events of onRequest", () => {
	it("arrive one by one, keep the actor awake, and end with the reader", async () => {
		const key = "sse";
		const id = await runtime.actorId("streamer", key);
		const stop = new AbortController();
		const response = await fetch(`${runtime.url}/gateway/${id}/request/events`, {
			signal: stop.signal,
			headers: { accept: "text/event-stream" },
		});
		expect(response.headers.get("content-type")).toBe("text/event-stream");
		const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
		for (const n of [0, 1]) {
			const { value } = await soon(reader.read());
			expect(value).toBe(`id: ${n}\ndata: {"n":${n}}\n\n`);
			// It may have slept between its creation and the request.
			if (n === 0 && seen.get(key)![0] === "sleep") seen.get(key)!.shift();
			// Longer than `sleepTimeout` and `actionTimeout`; the next event is not produced yet.
			await new Promise((resolve) => setTimeout(resolve, 400));
			expect(seen.get(key)).toEqual(["connect raw-request"]);
			gate(`${key}/${n + 1}`).open();
		}
		await soon(reader.read());
		stop.abort();
		await eventually(() =>
			expect(seen.get(key)).toEqual(
				expect.arrayContaining(["request aborted", "c aborted", "body cancelled", "sleep"]),
			),
		);
	});
});
