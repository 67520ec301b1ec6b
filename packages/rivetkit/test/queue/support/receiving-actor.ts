import { actor } from "../../../src/actor/definition.ts";
import { queue } from "../../../src/actor/tokens.ts";
import { eventually } from "../../support/eventually.ts";
import { TestRuntime, type TestRuntimeOptions } from "../../support/test-runtime.ts";
import { type WireAnswer, wireAction } from "../../support/wire-http.ts";

/** Options of a receive as they come over the wire. */
export type Options = Readonly<Record<string, unknown>>;

const bodyOf = (message: unknown) => (message as { body: unknown } | undefined)?.body;
const bodiesOf = (messages: unknown) => (messages as unknown[]).map(bodyOf);

/** An actor that lets its callers use its queues. */
const receiving = actor({
	vars: { begun: 0 },
	queues: { a: queue<unknown>(), b: queue<unknown>(), c: queue<unknown>() },
	actions: {
		send: async (c, name: "a" | "b" | "c", body: never, options: never) => {
			const { id } = await c.queue.send(name, body, options);
			return Number(id);
		},
		next: async (c, options: never) => bodyOf(await c.queue.next(options)),
		nextBatch: async (c, options: never) => bodiesOf(await c.queue.nextBatch(options)),
		tryNext: async (c, options: never) => bodyOf(await c.queue.tryNext(options)),
		tryNextBatch: async (c, options: never) => bodiesOf(await c.queue.tryNextBatch(options)),
		/** Begins to wait in this order, and returns what each got. */
		nexts: (c, all: never[]) => {
			const waits = all.map(async (options) => bodyOf(await c.queue.next(options)));
			c.vars.begun += all.length;
			return Promise.all(waits);
		},
		begun: (c) => c.vars.begun,
		size: (c) => c.queue.size(),
		nap: (c) => c.sleep(),
		end: (c) => c.destroy(),
	},
});

/** One such actor, and calls to it. */
export class ReceivingActor {
	readonly runtime: TestRuntime;
	readonly id: string;

	constructor(runtime: TestRuntime, id: string) {
		this.runtime = runtime;
		this.id = id;
	}

	static async start(options: TestRuntimeOptions = {}): Promise<ReceivingActor> {
		const runtime = await TestRuntime.start({ receiving }, options);
		return new ReceivingActor(runtime, await runtime.actorId("receiving"));
	}

	answer(action: string, ...args: unknown[]): Promise<WireAnswer> {
		return wireAction(this.runtime, this.id, action, args, { encoding: "cbor" });
	}

	/** The output of an action. Rejects with the error it was answered with. */
	async call(action: string, ...args: unknown[]): Promise<unknown> {
		const answer = await this.answer(action, ...args);
		if (answer.error) throw answer.error;
		return answer.output;
	}

	send(name: string, body: unknown, options: Options = {}): Promise<unknown> {
		return this.call("send", name, body, options);
	}

	/** Receives that wait in this order; resolves once all have begun. */
	async waiting(...options: Options[]): Promise<{ readonly outcome: Promise<unknown> }> {
		const before = (await this.call("begun")) as number;
		const outcome = this.call("nexts", options);
		outcome.catch(() => {});
		await eventually(async () => {
			if ((await this.call("begun")) !== before + options.length) throw new Error("not begun");
		});
		return { outcome };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.runtime[Symbol.asyncDispose]();
	}
}
