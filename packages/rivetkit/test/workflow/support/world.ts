import { createMemoryStore, type Store } from "@rivetkit/engine";
import type { Clock } from "@rivetkit/protocol";
import { actor, type QueueToken, queue } from "../../../src/index.ts";
import { hooks } from "../../../src/workflow/engine/test-hooks.ts";
import {
	type ActorWorkflowContext,
	type WorkflowErrorEvent,
	type WorkflowOptions,
	workflow,
} from "../../../src/workflow/index.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { TestStore } from "../../support/stores.ts";
import { TestRuntime } from "../../support/test-runtime.ts";
import { wireAction, wireSend } from "../../support/wire-http.ts";
import { MortalStore } from "./mortal-store.ts";

export interface State {
	n: number;
	other: number;
	log: string[];
	guardTriggered?: boolean;
}

const definition = (
	fn: (ctx: Ctx) => unknown,
	options: object,
	workflowOptions: WorkflowOptions<never>,
) =>
	actor({
		state: { n: 0, other: 0, log: [] } as State,
		vars: { v: 1 },
		events: {},
		queues: {
			work: queue<unknown, unknown>(),
			control: queue<unknown, unknown>(),
			out: queue<unknown, unknown>(),
		},
		options,
		run: workflow(async (ctx) => fn(ctx as never), workflowOptions as never),
		actions: {
			get: (c) => JSON.parse(JSON.stringify(c.state)) as State,
			other: (c) => {
				c.state.other += 1;
			},
			later: (c, ms: number) => c.schedule.after(ms, "other"),
			take: async (c, name: string) => (await c.queue.tryNext({ names: [name as "out"] }))?.body,
			size: (c, name?: string) => c.queue.size(name as "out"),
			put: async (c, name: string, body: unknown, options: object) =>
				void (await c.queue.send(name as "out", body, options)),
			nap: (c) => c.sleep(),
			guard: async (c) => c.kv.get("__rivet_actor_workflow_guard_triggered"),
			status: (c) => c.workflow.status(),
			history: (c) => c.workflow.history(),
			pause: (c) => c.workflow.pause(),
			resume: (c) => c.workflow.resume(),
			wake: (c) => c.workflow.wake(),
			cancel: (c, cancel: object) => c.workflow.cancel(cancel),
			recover: (c, recover?: object) => c.workflow.recover(recover),
			replay: (c, replay?: object) => c.workflow.replay(replay),
			export: (c) => c.workflow.export(),
			import: (c, bytes: Uint8Array) => c.workflow.import(bytes),
			receive: async (c, names: string[]) => (await c.queue.next({ names: names as [] }))?.body,
		},
	});

/** An actor that workflows call: what it was told. */
const other = actor({
	state: { told: [] as string[] },
	actions: {
		tell: (c, what: string) => void c.state.told.push(what),
		told: (c) => [...c.state.told],
	},
});

type Definition = ReturnType<typeof definition>;
/** The context of the workflows of these tests. */
export type Ctx = ActorWorkflowContext<
	State,
	unknown,
	unknown,
	{ v: number },
	unknown,
	{ execute(sql: string): Promise<unknown> },
	Record<never, never>,
	{
		work: QueueToken<unknown, unknown>;
		control: QueueToken<unknown, unknown>;
		out: QueueToken<unknown, unknown>;
	}
>;

export interface WorldOptions {
	readonly options?: object;
	readonly workflow?: WorkflowOptions<never>;
	readonly store?: Store;
	/** Opens the store instead; it is closed with the world. */
	readonly openStore?: () => Promise<TestStore>;
	readonly clock?: FakeClock;
	/** Whether replays are compared with what was recorded. Default true. */
	readonly checksReplays?: boolean;
	/** Runs the workflow from its records again at every wait. */
	readonly yields?: boolean;
	/** Dies at this commit of the first process. */
	readonly dieAt?: { readonly commit: number; readonly side: "before" | "after" };
}

/** How long anything may take that needs no time of the clock. */
const SETTLE_MS_MAX = 60_000;

/** One workflow on a store that outlives its processes, on a clock that the test moves. */
export class World {
	readonly clock: FakeClock;
	readonly errors: WorkflowErrorEvent[] = [];
	/** What happened outside of the actor. */
	readonly ledger: string[] = [];
	store: MortalStore;
	/** Of the process that is started next. */
	codeVersion = 1;
	fn: (ctx: Ctx) => unknown;
	id = "";
	/** How often its process has ended by itself or by the test. */
	crashes = 0;
	readonly #options: WorldOptions;
	readonly #opened: TestStore | null;
	readonly #runtimes: TestRuntime[] = [];
	#endClock: () => void = () => {};
	/** Who waits for an answer of the process that runs now. */
	#callers = new AbortController();

	constructor(fn: (ctx: Ctx) => unknown, options: WorldOptions, opened: TestStore | null) {
		this.fn = fn;
		this.#options = options;
		this.#opened = opened;
		this.clock = options.clock ?? new FakeClock();
		this.store = new MortalStore(opened?.store ?? options.store ?? createMemoryStore());
	}

	static async start(
		fn: (ctx: Ctx, world: World) => unknown,
		options: WorldOptions = {},
	): Promise<World> {
		hooks.coldStartAtEveryWait = options.yields ?? false;
		const opened = (await options.openStore?.()) ?? null;
		const world: World = new World((ctx) => fn(ctx, world), options, opened);
		if (options.dieAt) world.store.dieAt(options.dieAt.commit, options.dieAt.side);
		await world.#boot();
		await world.#create();
		await world.settle();
		return world;
	}

	/** As often as it needs: a process may end while the actor is made. */
	async #create(): Promise<void> {
		while (this.id === "") {
			const created = this.#put();
			created.catch(() => {});
			const id = await Promise.race([created, this.store.died]);
			if (id) this.id = id;
			else await this.crash();
		}
	}

	async #put(): Promise<string> {
		const response = await fetch(`${this.runtime.url}/actors`, {
			method: "PUT",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({
				name: "subject",
				key: "/",
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
			signal: this.#callers.signal,
		});
		return ((await response.json()) as { actor: { actor_id: string } }).actor.actor_id;
	}

	get runtime(): TestRuntime {
		return this.#runtimes.at(-1)!;
	}

	async #boot(): Promise<void> {
		const { clock, end } = endable(this.clock);
		this.#endClock = end;
		const onError = (_c: unknown, event: WorkflowErrorEvent) => void this.errors.push(event);
		const subject = definition(
			(ctx) => this.fn(ctx),
			{ sleepTimeout: 1e9, ...this.#options.options },
			{ onError, ...this.#options.workflow } as WorkflowOptions<never>,
		) as Definition;
		const { codeVersion } = this;
		const { checksReplays = true } = this.#options;
		this.#runtimes.push(
			await TestRuntime.start(
				{ subject, other },
				{ store: this.store.store, clock, codeVersion, checksReplays },
			),
		);
	}

	/** The process ends as it is, and the next one starts; without `wake` nobody calls the actor. */
	async crash(dieAt?: { commit: number; side: "before" | "after" }): Promise<void> {
		this.crashes++;
		this.store.die();
		this.#endClock();
		this.#callers.abort(new Error("the process is gone"));
		this.#callers = new AbortController();
		this.store = new MortalStore(this.store.inner);
		if (dieAt) this.store.dieAt(dieAt.commit, dieAt.side);
		await this.#boot();
		await this.settle();
	}

	/** Lets everything happen that needs no time. */
	async settle(): Promise<void> {
		let { accesses } = this.store;
		const untilMs = performance.now() + SETTLE_MS_MAX;
		let quiet = 0;
		for (let waiting = 0; quiet < 12 && performance.now() < untilMs; ) {
			// A disk takes its time.
			if (waiting > 100) await new Promise((resolve) => setTimeout(resolve, 1));
			else await new Promise((resolve) => setImmediate(resolve));
			const isCommitting = this.runtime.embedded.host.activity === "committing";
			const isAtWork = (isCommitting || this.store.isAsked) && !this.store.isDead;
			waiting = isAtWork && this.store.accesses === accesses ? waiting + 1 : 0;
			({ accesses } = this.store);
			quiet = isAtWork ? 0 : quiet + 1;
		}
	}

	async advance(ms: number): Promise<void> {
		await this.clock.advance(ms, () => this.settle());
		await this.settle();
	}

	async call<T = unknown>(action: string, ...args: unknown[]): Promise<T> {
		const answer = await wireAction(this.runtime, this.id, action, args, {
			encoding: "cbor",
			signal: this.#callers.signal,
		});
		if (answer.error) throw answer.error;
		return answer.output as T;
	}

	state(): Promise<State> {
		return this.call<State>("get");
	}

	status(): Promise<{
		state: string;
		blocked: boolean;
		paused: boolean;
		error?: { name: string; message: string };
		output?: unknown;
		waitingFor: { path: string; names?: string[]; deadline?: number }[];
	}> {
		return this.call("status");
	}

	async send(name: string, body?: unknown): Promise<void> {
		await wireSend(this.runtime, this.id, name, body, {
			encoding: "cbor",
			signal: this.#callers.signal,
		});
		await this.settle();
	}

	ask(name: string, body?: unknown, timeout?: number) {
		return wireSend(this.runtime, this.id, name, body, {
			encoding: "cbor",
			signal: this.#callers.signal,
			wait: true,
			...(timeout === undefined ? {} : { timeout }),
		});
	}

	/** Lets the actor fall asleep. */
	async nap(): Promise<void> {
		await this.call("nap");
		await this.settle();
	}

	get isAwake(): boolean {
		return this.runtime.embedded.host.liveActorIds.includes(this.id);
	}

	/** When the store has the actor woken (ms since the epoch); null for never. */
	async alarmTs(): Promise<number | null> {
		return (await this.store.inner.actorById(this.id))?.alarmTs ?? null;
	}

	/** Keys of entries in the store. */
	async entryCount(): Promise<number> {
		const range = { start: Uint8Array.of(0x14), end: Uint8Array.of(0x15) };
		return (await this.store.inner.scan(this.id, range)).length;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		hooks.coldStartAtEveryWait = false;
		this.store.spare();
		const last = this.#runtimes.pop();
		if (last) {
			const closed = last[Symbol.asyncDispose]();
			let isClosed = false;
			closed.then(
				() => {
					isClosed = true;
				},
				() => {
					isClosed = true;
				},
			);
			while (!isClosed) await this.clock.advance(1_000);
			await closed;
		}
		// They listen no more. What they were asked never gets an answer, so nobody can wait for its end.
		for (const crashed of this.#runtimes) crashed.server.close().catch(() => {});
		await this.#opened?.[Symbol.asyncDispose]();
	}
}

/** A clock on which nothing happens any more once it has ended. */
function endable(inner: Clock): { readonly clock: Clock; readonly end: () => void } {
	let hasEnded = false;
	return {
		clock: {
			now: () => inner.now(),
			after: (delayMs, fn) =>
				inner.after(delayMs, () => {
					if (!hasEnded) fn();
				}),
		},
		end: () => {
			hasEnded = true;
		},
	};
}
