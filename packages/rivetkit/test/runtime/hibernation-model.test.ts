import fc from "fast-check";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { soon } from "../support/gate.ts";
import { CrashableRuntime } from "../support/split/crashable-runtime.ts";
import { LocalWireSocket } from "../support/wire-socket.ts";

/** Writes down what it is told, in the order it handles it. */
function scribe() {
	return actor({
		state: { said: [] as string[], left: [] as string[], events: 0 },
		options: { canHibernateWebSocket: true, sleepGracePeriod: 2_000 },
		events: { said: event<number>() },
		createConnState: (_c, params: string | undefined) => ({ name: params ?? "", count: 0 }),
		onDisconnect: (c, conn) => {
			if (conn.state.name !== "") c.state.left.push(conn.state.name);
		},
		onWebSocket: (c, socket) => {
			socket.addEventListener("message", (message) => {
				c.state.said.push(String((message as MessageEvent).data));
				c.conn.state.count++;
				socket.send("heard");
			});
		},
		actions: {
			say: (c, text: string) => {
				c.state.said.push(text);
				c.broadcast("said", ++c.state.events);
				return ++c.conn.state.count;
			},
			sayLater: async (c, text: string) => {
				await new Promise((resolve) => setImmediate(resolve));
				c.state.said.push(text);
				c.broadcast("said", ++c.state.events);
				return ++c.conn.state.count;
			},
			read: (c) => ({ ...c.state, said: [...c.state.said], left: [...c.state.left] }),
			nap: (c) => c.sleep(),
		},
	});
}

type Step =
	| { do: "say"; who: number; times: number; later: boolean }
	| { do: "leave"; who: number }
	| { do: "nap" | "lose" | "replace" | "fence" }
	| { do: "wait"; ms: number };

const CLIENTS = 4;
const who = fc.nat(CLIENTS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.record({
			do: fc.constant("say" as const),
			who,
			times: fc.integer({ min: 1, max: 5 }),
			later: fc.boolean(),
		}),
	},
	{ weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), who }) },
	{
		weight: 4,
		arbitrary: fc.record({
			do: fc.constantFrom("nap" as const, "nap", "lose", "replace", "fence"),
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 8 }) }),
	},
);

/** One client, and what it knows: what it sent, what was answered, what it heard. */
class Client {
	readonly name: string;
	readonly isRaw: boolean;
	readonly socket: LocalWireSocket;
	readonly sent: string[] = [];
	readonly answers = new Map<number, unknown>();
	readonly heard: number[] = [];
	echoes = 0;
	hasLeft = false;

	constructor(runtime: CrashableRuntime, actorId: string, name: string, isRaw: boolean) {
		this.name = name;
		this.isRaw = isRaw;
		const path = isRaw ? "/websocket" : "/connect";
		this.socket = new LocalWireSocket(runtime.engine, actorId, path, { connParams: name });
	}

	async open(): Promise<void> {
		if (this.isRaw) {
			await this.socket.opened();
			this.socket.sendData("hello");
			this.sent.push("hello");
			await soon(this.socket.raw());
			this.echoes++;
		} else {
			await soon(this.socket.expect("Init"));
			this.socket.subscribe("said");
		}
		void this.#listen();
	}

	async #listen(): Promise<void> {
		try {
			for (;;) {
				if (this.isRaw) {
					await this.socket.raw();
					this.echoes++;
					continue;
				}
				const frame = await this.socket.next();
				if (frame.tag === "Event") {
					this.heard.push(frame.args[0] as number);
				} else if (frame.tag === "ActionResponse") {
					const id = Number(frame.id);
					// The same answer may come twice, never another one.
					if (this.answers.has(id)) expect(frame.output).toBe(this.answers.get(id));
					this.answers.set(id, frame.output);
				} else {
					throw new Error(`${this.name} got ${JSON.stringify(frame)}`);
				}
			}
		} catch (error) {
			if (!this.hasLeft) this.failure ??= error;
		}
	}
	failure: unknown;

	say(later: boolean): void {
		if (this.hasLeft) return;
		const text = `${this.name} ${this.sent.length}`;
		if (this.isRaw) this.socket.sendData(text);
		else this.socket.act(this.sent.length, later ? "sayLater" : "say", text);
		this.sent.push(text);
	}

	leave(): void {
		this.hasLeft = true;
		this.socket.close(1000, "bye");
	}
}

it("messages are handled once and in order, whatever becomes of incarnations and hosts (model)", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
			await using runtime = new CrashableRuntime({ scribe: scribe() }, { closeWakeDelayMs: 2 });
			const { actor: record } = await runtime.engine.resolve({
				kind: "getOrCreate",
				name: "scribe",
				key: [],
				input: null,
			});
			const { actorId } = record;
			const clients = Array.from(
				{ length: CLIENTS },
				(_, at) => new Client(runtime, actorId, `client${at}`, at % 2 === 1),
			);
			await Promise.all(clients.map((client) => client.open()));
			const observer = new LocalWireSocket(runtime.engine, actorId, "/connect");
			await soon(observer.expect("Init"));

			for (const step of steps) {
				switch (step.do) {
					case "say":
						for (let time = 0; time < step.times; time++) clients[step.who]!.say(step.later);
						break;
					case "leave":
						if (!clients[step.who]!.hasLeft) clients[step.who]!.leave();
						break;
					case "nap":
						observer.act(0, "nap");
						break;
					case "lose":
						runtime.loseHost();
						await new Promise((resolve) => setImmediate(resolve));
						runtime.startHost();
						break;
					case "replace":
						runtime.startHost();
						break;
					case "fence":
						await runtime.store.acquire(actorId);
						break;
					case "wait":
						await new Promise((resolve) => setTimeout(resolve, step.ms));
						break;
					default:
						step satisfies never;
				}
			}

			const present = clients.filter(({ hasLeft }) => !hasLeft);
			const gone = clients.filter(({ hasLeft }) => hasLeft).map(({ name }) => name);
			await eventually(async () => {
				for (const { isRaw, answers, sent, failure } of present) {
					if (failure) throw failure;
					if (!isRaw) expect(answers.size).toBe(sent.length);
				}
				const { output } = (await soon(observer.call(1, "read"))) as { output: Book };
				for (const { isRaw, sent } of present) {
					if (isRaw) expect(output.said).toEqual(expect.arrayContaining(sent));
				}
				expect([...output.left].sort()).toEqual(gone);
				// Events are lost with a host, and only then.
				const isWhole = !steps.some(({ do: what }) => what === "lose");
				for (const { isRaw, heard } of present) {
					if (isRaw || !isWhole || heard.length === 0) continue;
					const [first = 0] = heard;
					const count = output.events - first + 1;
					expect(heard).toEqual(Array.from({ length: count }, (_, at) => first + at));
				}
			});
			const { output } = (await soon(observer.call(1, "read"))) as { output: Book };
			for (const { name, isRaw, sent, hasLeft, heard, socket } of clients) {
				const own = output.said.filter((text) => text.startsWith(`${name} `));
				const expected = sent.filter((text) => text.startsWith(`${name} `));
				// What a client had under way when it left need not be done any more, unless it is raw.
				if (hasLeft && !isRaw) expect(own).toEqual(expected.slice(0, own.length));
				else expect(own).toEqual(expected);
				expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
				expect(socket.isOpen).toBe(!hasLeft);
			}
			expect(runtime.errors).toEqual([]);
		}),
		{ numRuns: 40, endOnFailure: false },
	);
}, 400_000);

interface Book {
	readonly said: string[];
	readonly left: string[];
	readonly events: number;
}
