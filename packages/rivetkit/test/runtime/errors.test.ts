import {
	type Encoding,
	HEADER_STREAM,
	type HttpResponseError,
	INTERNAL_ERROR_DESCRIPTION,
} from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { ActorError, UserError } from "../../src/errors/index.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const ENCODINGS = ["json", "cbor", "bare"] as const;

function cyclic(): object {
	const cycle: { self?: object } = {};
	cycle.self = cycle;
	return cycle;
}

/** Arrays in arrays. */
function nested(levels: number): unknown {
	let value: unknown = 0;
	for (let level = 0; level < levels; level++) value = [value];
	return value;
}

class Hostile extends Error {
	override get message(): string {
		throw new Error("even my message throws");
	}
}

const THROWN: Readonly<Record<string, () => unknown>> = {
	text: () => "secret",
	undefined: () => undefined,
	null: () => null,
	number: () => 0,
	symbol: () => Symbol("secret"),
	function: () => () => "secret",
	object: () => ({ message: "secret" }),
	"object without a prototype": () => Object.create(null) as unknown,
	"error with a throwing message": () => new Hostile(),
	proxy: () =>
		new Proxy(
			{},
			{
				get() {
					throw new Error("no");
				},
			},
		),
};

const RESULTS: Readonly<Record<string, () => unknown>> = {
	function: () => () => 1,
	symbol: () => Symbol("x"),
	"nested function": () => ({ a: [{ b: () => 1 }] }),
	cycle: cyclic,
	"throwing getter": () => ({
		get x() {
			throw new Error("secret");
		},
	}),
};

const subject = actor({
	state: { n: 0 },
	actions: {
		ping: () => "pong",
		add: (c) => ++c.state.n,
		user: () => {
			throw new UserError("told", { code: "told", metadata: { a: [1, "x"] } });
		},
		userDefault: () => {
			throw new UserError("plain");
		},
		foreign: () => {
			// As another copy of the package would make it.
			const fields = {
				__type: "ActorError",
				public: true,
				group: "user",
				code: "foreign",
				statusCode: 418,
			};
			throw Object.assign(new Error("foreign"), fields);
		},
		private: () => {
			throw new ActorError("mine", "private", "secret", { metadata: { secret: 1 } });
		},
		error: async () => {
			throw new TypeError("secret");
		},
		badMetadata: (_c, kind: string) => {
			const metadata = kind === "cycle" ? cyclic() : { f: () => 1 };
			throw new UserError("told", { code: "told", metadata });
		},
		deep: (_c, levels: number) => {
			throw new UserError("deep", { code: "deep", metadata: nested(levels) });
		},
		deepLater: async (_c, levels: number) => {
			throw new UserError("deep", { code: "deep", metadata: nested(levels) });
		},
		/** Its metadata cannot be read any more from some look on. */
		fickle: async (_c, looks: number) => {
			let left = looks;
			const metadata = {
				get x() {
					if (--left < 0) throw new Error("no more");
					return 1;
				},
			};
			throw new UserError("fickle", { code: "fickle", metadata });
		},
		/** Its metadata becomes unencodable while its answer waits for the commit. */
		changed: (c) => {
			c.state.n++;
			const metadata: { f?: () => void } = {};
			queueMicrotask(() => {
				metadata.f = () => {};
			});
			throw new UserError("changed", { code: "changed", metadata });
		},
		throws: (_c, kind: string) => {
			throw THROWN[kind]!();
		},
		rejects: (_c, kind: string) => Promise.reject(THROWN[kind]!()),
		returns: (_c, kind: string) => RESULTS[kind]!(),
		resolves: async (_c, kind: string) => RESULTS[kind]!(),
	},
});

async function start(exposeErrors = false) {
	const runtime = await TestRuntime.start({ subject }, { exposeErrors });
	const id = await runtime.actorId("subject", "k");
	return { runtime, id, url: `${runtime.url}/gateway/${id}/connect` };
}

/** How a call that wants a stream is refused. */
async function streamed(
	runtime: TestRuntime,
	actorId: string,
	name: string,
	args: unknown[],
	encoding: Encoding,
): Promise<HttpResponseError> {
	const headers = { [HEADER_STREAM]: "1" };
	const { error } = await wireAction(runtime, actorId, name, args, { encoding, headers });
	return error!;
}

describe("A26 what callers see", () => {
	it.each(ENCODINGS)(
		"P22: a public error goes out as it is, in %s, over HTTP and WebSocket",
		async (encoding) => {
			const { runtime, id, url } = await start();
			await using _ = runtime;
			const told = { group: "user", code: "told", message: "told", metadata: { a: [1, "x"] } };
			const answer = await wireAction(runtime, id, "user", [], { encoding });
			expect([answer.status, answer.error]).toEqual([400, told]);
			await using socket = await WireSocket.connect(url, { encoding });
			expect(await soon(socket.call(1, "user"))).toMatchObject(told);
			const plain = await wireAction(runtime, id, "userDefault", [], { encoding });
			expect(plain.error).toMatchObject({ group: "user", code: "user_error", message: "plain" });
		},
	);

	it("a public error of another copy of the package, with its own status", async () => {
		const { runtime, id } = await start();
		await using _ = runtime;
		const answer = await wireAction(runtime, id, "foreign");
		expect([answer.status, codeOf(answer)]).toEqual([418, "user.foreign"]);
	});

	it.each(["error", "private"])(
		"P23: everything else is masked, and logged with stack, actor and action: %s",
		async (name) => {
			const { runtime, id } = await start();
			await using _ = runtime;
			const answer = await wireAction(runtime, id, name);
			expect(answer.status).toBe(500);
			expect(answer.error).toEqual({
				group: "rivetkit",
				code: "internal_error",
				message: INTERNAL_ERROR_DESCRIPTION,
				metadata: {},
			});
			const [line] = runtime.log.filter(({ level }) => level === "error");
			expect(line?.fields).toMatchObject({ actor: "subject", key: "k", actorId: id, action: name });
			expect(line?.fields.err).toHaveProperty("stack", expect.stringContaining("secret"));
		},
	);

	it("P23: exposed, a plain error shows its text, a framework error everything, with status 500", async () => {
		const { runtime, id } = await start(true);
		await using _ = runtime;
		const plain = await wireAction(runtime, id, "error");
		expect(plain).toMatchObject({
			status: 500,
			error: { group: "rivetkit", code: "internal_error", message: "secret" },
		});
		expect(plain.error?.metadata).toBeUndefined();
		expect(await wireAction(runtime, id, "private")).toMatchObject({
			status: 500,
			error: { group: "mine", code: "private", message: "secret", metadata: { secret: 1 } },
		});
	});

	it.each(["cycle", "function"])(
		"metadata with a %s is left out and logged; the error arrives",
		async (kind) => {
			const { runtime, id, url } = await start();
			await using _ = runtime;
			for (const encoding of ENCODINGS) {
				const answer = await wireAction(runtime, id, "badMetadata", [kind], { encoding });
				expect(answer.error).toMatchObject({ group: "user", code: "told", message: "told" });
				await using socket = await WireSocket.connect(url, { encoding });
				expect(await soon(socket.call(0, "badMetadata", kind))).toMatchObject({ code: "told" });
			}
			expect(
				runtime.log.some(({ message }) => message.includes("metadata cannot be encoded")),
			).toBe(true);
		},
	);
});

describe("metadata that cannot be sent in an answer is left out", () => {
	// What carries it has levels of its own.
	const LEVELS = [1_016, 1_017, 1_020, 1_021, 1_022, 1_023, 1_024, 1_025];

	it.each(ENCODINGS)("metadata nested up to 1,016 levels arrives, in %s", async (encoding) => {
		const { runtime, id, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url, { encoding });
		let call = 0;
		for (const levels of LEVELS) {
			const metadata = levels > 1_016 ? undefined : nested(levels);
			for (const name of ["deep", "deepLater"]) {
				const answers = {
					http: (await soon(wireAction(runtime, id, name, [levels], { encoding }), 5_000)).error,
					stream: await soon(streamed(runtime, id, name, [levels], encoding), 5_000),
					socket: await soon(socket.call(call++, name, levels), 5_000),
				};
				for (const [path, answer] of Object.entries(answers)) {
					const seen = answer as { code?: string; metadata?: unknown };
					const where = `${name} ${levels} over ${path}`;
					expect(seen.code, where).toBe("deep");
					expect(JSON.stringify(seen.metadata), where).toBe(JSON.stringify(metadata));
				}
			}
		}
		expect(await soon(socket.call(call, "ping"))).toMatchObject({ output: "pong" });
	});

	it.each(ENCODINGS)("metadata that throws at a later look, in %s", async (encoding) => {
		const { runtime, id, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url, { encoding });
		for (let looks = 0; looks < 10; looks++) {
			const answer = await soon(wireAction(runtime, id, "fickle", [looks], { encoding }), 5_000);
			expect(codeOf(answer)).toBe("user.fickle");
			expect(codeOf(await soon(socket.call(looks, "fickle", looks), 5_000))).toBe("user.fickle");
		}
		expect(await soon(socket.call(10, "ping"))).toMatchObject({ output: "pong" });
	});

	it.each(ENCODINGS)("metadata that has changed before it is sent, in %s", async (encoding) => {
		const { runtime, id } = await start();
		await using _ = runtime;
		const answer = await soon(streamed(runtime, id, "changed", [], encoding), 5_000);
		expect(answer).toMatchObject({ code: "changed" });
	});

	it("an answer that is remembered does not stop the next commit", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url, { session: "s1" });
		expect(codeOf(await soon(socket.call(0, "deep", 1_024)))).toBe("user.deep");
		expect(codeOf(await soon(socket.call(1, "changed")))).toBe("user.changed");
		expect(await soon(socket.call(2, "add"))).toMatchObject({ output: 2 });
	});
});

describe("P24 what is thrown that is no error", () => {
	it.each(Object.keys(THROWN))(
		"%s gives a structured answer on every path, and the actor goes on",
		async (kind) => {
			const { runtime, id, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url);
			let call = 0;
			for (const name of ["throws", "rejects"]) {
				const answer = await wireAction(runtime, id, name, [kind]);
				expect([answer.status, codeOf(answer)]).toEqual([500, "rivetkit.internal_error"]);
				expect(JSON.stringify(answer)).not.toContain("secret");
				const frame = await soon(socket.call(call++, name, kind));
				expect(frame).toMatchObject({ tag: "Error", code: "internal_error" });
			}
			expect(await soon(socket.call(call, "ping"))).toMatchObject({ output: "pong" });
		},
	);

	it("exposed, its text is the message", async () => {
		const { runtime, id } = await start(true);
		await using _ = runtime;
		expect((await wireAction(runtime, id, "throws", ["text"])).error?.message).toBe("secret");
		expect((await wireAction(runtime, id, "throws", ["null"])).error?.message).toBe("null");
	});
});

describe("W-ACT-7 results that cannot be encoded", () => {
	it.each(Object.keys(RESULTS))(
		"%s is an internal error to the caller, on every path",
		async (kind) => {
			const { runtime, id, url } = await start();
			await using _ = runtime;
			for (const encoding of ENCODINGS) {
				await using socket = await WireSocket.connect(url, { encoding });
				let call = 0;
				for (const name of ["returns", "resolves"]) {
					const answer = await wireAction(runtime, id, name, [kind], { encoding });
					expect([answer.status, codeOf(answer)]).toEqual([500, "rivetkit.internal_error"]);
					const frame = await soon(socket.call(call++, name, kind));
					expect(frame).toMatchObject({ tag: "Error", code: "internal_error" });
				}
				expect(await soon(socket.call(call, "ping"))).toMatchObject({ output: "pong" });
			}
		},
	);

	it.each(ENCODINGS)("the log names action and path, in %s", async (encoding) => {
		const { runtime, id } = await start();
		await using _ = runtime;
		await wireAction(runtime, id, "returns", ["nested function"], { encoding });
		const [line] = runtime.log.filter(({ level }) => level === "error");
		expect(line?.fields).toMatchObject({ action: "returns", actorId: id });
		expect(String(line?.fields.err)).toContain(".a[0].b");
	});
});
