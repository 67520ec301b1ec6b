import { createMemoryStore } from "@rivetkit/engine";
import { decodeCbor } from "@rivetkit/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import {
	entriesOf,
	SUBSPACE_SCHEDULE,
	SUBSPACE_STATE,
	WAKE_END,
	WAKE_START,
} from "../../src/runtime/commit/storage-layout.ts";
import { readState } from "../../src/runtime/instance/state-layout.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { HOUR, MINUTE, NOON, rowsOf, SECOND } from "./bench.ts";
import { type Death, MortalServer } from "./mortal.ts";

/** Longest wait of a call in the model. */
const DELAY_MAX = 5 * MINUTE;
const RETRIES = { attempts: 20, delay: 1_000, factor: 1 };

/** What the model knows of one call. "maybe": the server died before it answered. */
interface Planned {
	readonly label: string;
	readonly runAt: number;
	status: "planned" | "maybe" | "cancelled";
}

interface Handle {
	plan(label: string, delay: number, isAsync: boolean): Promise<string>;
	cancel(label: string): Promise<boolean>;
}

/** One world: a store and a clock that last, and servers that come and go. */
class World {
	readonly clock = new FakeClock(NOON);
	readonly planned = new Map<string, Planned>();
	/** When which call ran, as nobody can take back. */
	readonly runs: { readonly label: string; readonly at: number; readonly runAt: number }[] = [];
	readonly #store = createMemoryStore();
	readonly #failuresLeft = new Map<string, number>();
	#server: MortalServer | null = null;
	#labels = 0;

	readonly #subject = actor({
		state: { done: {} as Record<string, number>, ids: {} as Record<string, string> },
		actions: {
			plan: async (c, label: string, delay: number, isAsync: boolean) => {
				const call = c.schedule.with({ retry: RETRIES });
				const id = await call.after(delay, isAsync ? "runAsync" : "run", label);
				c.state.ids[label] = id;
				return id;
			},
			cancel: (c, label: string) => c.schedule.cancel(c.state.ids[label] ?? ""),
			run: (c, label: string) => {
				this.#ran(label);
				c.state.done[label] = (c.state.done[label] ?? 0) + 1;
				this.#maybeFail(label, () => delete c.state.done[label]);
			},
			runAsync: async (c, label: string) => {
				this.#ran(label);
				await null;
				this.#maybeFail(label, () => {});
				c.state.done[label] = (c.state.done[label] ?? 0) + 1;
			},
		},
		options: { sleepTimeout: 20_000 },
	});

	#ran(label: string): void {
		this.runs.push({ label, at: this.clock.now(), runAt: this.planned.get(label)!.runAt });
	}

	#maybeFail(label: string, undo: () => void): void {
		const left = this.#failuresLeft.get(label) ?? 0;
		if (left === 0) return;
		this.#failuresLeft.set(label, left - 1);
		undo();
		throw new Error(`${label} fails`);
	}

	get server(): MortalServer {
		if (!this.#server?.isAlive) {
			this.#server = new MortalServer(this.clock, this.#store, { subject: this.#subject });
		}
		return this.#server;
	}

	/** Waits for the answer of an action, or for the death of the server. */
	async #ask<T>(question: (handle: Handle) => Promise<T>): Promise<T | "died"> {
		const { server } = this;
		const handle = server.client().subject!.getOrCreate(["one"]) as unknown as Handle;
		return Promise.race([question(handle), server.died]);
	}

	async plan(delay: number, failures: number, isAsync: boolean): Promise<void> {
		const label = `call ${this.#labels++}`;
		const entry: Planned = { label, runAt: this.clock.now() + delay, status: "maybe" };
		this.planned.set(label, entry);
		this.#failuresLeft.set(label, failures);
		const answer = await this.#ask((handle) => handle.plan(label, delay, isAsync));
		if (answer !== "died") entry.status = "planned";
	}

	async cancel(pick: number): Promise<void> {
		const open = [...this.planned.values()].filter(({ status }) => status === "planned");
		const entry = open[pick % Math.max(1, open.length)];
		if (!entry) return;
		const answer = await this.#ask((handle) => handle.cancel(entry.label));
		if (answer === "died") entry.status = "maybe";
		else if (answer) entry.status = "cancelled";
	}

	async advance(ms: number): Promise<void> {
		void this.server;
		await this.clock.advance(ms, () => this.settle());
	}

	readonly settle = async (): Promise<void> => {
		for (let quiet = 0; quiet < 5; quiet++) {
			await new Promise((resolve) => setImmediate(resolve));
			if (this.#server?.isAlive && this.#server.embedded.host.activity === "committing") quiet = 0;
		}
	};

	async sleep(): Promise<void> {
		const { server } = this;
		const [id] = server.embedded.host.liveActorIds;
		if (id) await Promise.race([server.embedded.host.stop(id, "sleep"), server.died]);
	}

	async restart(): Promise<void> {
		const { server } = this;
		await Promise.race([server.close(), server.died]);
	}

	/** After an hour without a mishap every call was made, once as far as the actor's own data goes. */
	async verify(): Promise<void> {
		for (let server: MortalServer | null = null; server !== this.server; ) {
			server = this.server;
			await this.advance(HOUR);
		}
		// Looked up in the store: an actor that is called makes up for what its alarm should have done.
		const done = await this.#stored();
		for (const { label, at, runAt } of this.runs) {
			expect(at, `${label} was early`).toBeGreaterThanOrEqual(runAt);
		}
		for (const { label, status } of this.planned.values()) {
			const count = done[label] ?? 0;
			if (status === "planned") expect(count, `${label} was acknowledged`).toBe(1);
			else if (status === "cancelled") expect(count, `${label} was cancelled`).toBe(0);
			else expect(count, `${label} was not acknowledged`).toBeLessThanOrEqual(1);
		}
		expect(await this.#store.nextAlarmTs()).toBeNull();
		await this.restart();
	}

	/** How often each call has taken effect, as the next incarnation would find it. */
	async #stored(): Promise<Record<string, number>> {
		const [actorRecord] = await this.#store.listActors({ namespace: "default", limit: 1 });
		if (!actorRecord) return {};
		const { actorId } = actorRecord;
		expect(await rowsOf(this.#store, actorId, SUBSPACE_SCHEDULE)).toEqual([]);
		const rows = await this.#store.scan(actorId, { start: WAKE_START, end: WAKE_END });
		const { bytes } = readState(entriesOf(rows, SUBSPACE_STATE));
		return bytes ? (decodeCbor(bytes) as { done: Record<string, number> }).done : {};
	}
}

class Step implements fc.AsyncCommand<object, World> {
	readonly #text: string;
	readonly #run: (world: World) => Promise<void>;

	constructor(text: string, run: (world: World) => Promise<void>) {
		this.#text = text;
		this.#run = run;
	}

	check(): boolean {
		return true;
	}

	async run(_model: object, world: World): Promise<void> {
		await this.#run(world);
		await world.settle();
	}

	toString(): string {
		return this.#text;
	}
}

const step = (text: string, run: (world: World) => Promise<void>) => new Step(text, run);

const steps = fc.commands(
	[
		fc
			.tuple(
				fc.oneof(fc.integer({ min: -SECOND, max: 2 * SECOND }), fc.integer({ max: DELAY_MAX })),
				fc.constantFrom(0, 0, 0, 1, 3),
				fc.boolean(),
			)
			.map(([delay, failures, isAsync]) =>
				step(`plan(${delay}, ${failures}, ${isAsync})`, (world) =>
					world.plan(Math.max(0, delay), failures, isAsync),
				),
			),
		fc.nat(10).map((pick) => step(`cancel(${pick})`, (world) => world.cancel(pick))),
		fc
			.oneof(fc.constantFrom(0, 5, 10), fc.nat(5 * SECOND), fc.nat(DELAY_MAX))
			.map((ms) => step(`advance(${ms})`, (world) => world.advance(ms))),
		fc.constant(step("sleep", (world) => world.sleep())),
		fc.constant(step("restart", (world) => world.restart())),
		fc.constant(
			step("crash", async (world) => {
				world.server.kill();
			}),
		),
		fc
			.record<Death>({ afterCommits: fc.nat(6), isWritten: fc.boolean() })
			.map((death) =>
				step(`dieAt(${death.afterCommits}, ${death.isWritten})`, async (world) =>
					world.server.dieAt(death),
				),
			),
	],
	{ maxCommands: 40, size: "+1" },
);

it("every acknowledged call is made once and never early, whatever crashes in between", async () => {
	await fc.assert(
		fc.asyncProperty(steps, async (commands) => {
			const world = new World();
			await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
			await world.verify();
		}),
		{ numRuns: 100 },
	);
});
