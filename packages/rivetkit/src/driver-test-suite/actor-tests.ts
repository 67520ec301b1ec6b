import {
	type ActorAssignment,
	ActorGone,
	type StopIntent,
	type StorageBatch,
} from "@rivetkit/protocol";
import { actor } from "../actor/definition.ts";
import type { ActorBackend, Incarnation } from "../backends/backend.ts";
import { createActorHost, type HostedActors } from "../driver-helpers/actor-host.ts";
import { createActorRouter } from "../driver-helpers/actor-router.ts";
import { parseRegistryConfig } from "../registry/config/registry-config.ts";
import type { SuiteContext } from "./backend-under-test.ts";
import { contents } from "./bytes.ts";
import { failureOf } from "./framework.ts";
import { quietLogger } from "./quiet-logger.ts";

const counter = actor({
	createState: (_c, input: number | undefined) => ({ count: input ?? 0 }),
	actions: {
		add: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		end: (c) => c.destroy(),
	},
});

/** A host with one kind of actor on a backend, and plain JSON calls to it. */
class Counters {
	readonly host: HostedActors;
	readonly #ends = new Map<string, (intent: StopIntent) => void>();

	constructor(backend: ActorBackend) {
		const config = parseRegistryConfig({ use: { counter } }, {});
		this.host = createActorHost(config, { backend, log: quietLogger });
		this.host.attach({
			stopping: () => {},
			stopped: (actorId, _generation, intent) => this.#ends.get(actorId)?.(intent),
			lost: () => {},
		});
	}

	async start(assignment: ActorAssignment): Promise<void> {
		await this.host.start({ ...assignment, name: "counter", input: null }, []);
	}

	/** Resolves when the actor has stopped by itself, with what for. */
	ended(actorId: string): Promise<StopIntent> {
		return new Promise((resolve) => this.#ends.set(actorId, resolve));
	}

	async call(actorId: string, action: string, ...args: unknown[]): Promise<unknown> {
		const url = `http://actor/action/${action}`;
		const request = new Request(url, { method: "POST", body: JSON.stringify({ args }) });
		const response = await createActorRouter(this.host, actorId).fetch(request);
		const body = (await response.json()) as { output?: unknown };
		return response.ok ? body.output : { status: response.status, ...body };
	}
}

/** Commits wait until the gate is opened; what is read does not. */
class GatedBackend implements ActorBackend {
	readonly #backend: ActorBackend;
	#gate: Promise<void> | null = null;
	#arrived!: () => void;

	constructor(backend: ActorBackend) {
		this.#backend = backend;
	}

	/** Resolves with how to open the gate when the next commit has come to it. */
	hold(): Promise<() => void> {
		let open!: () => void;
		this.#gate = new Promise((resolve) => {
			open = resolve;
		});
		return new Promise((resolve) => {
			this.#arrived = () => resolve(open);
		});
	}

	async commit(incarnation: Incarnation, batch: StorageBatch): Promise<void> {
		if (this.#gate) {
			this.#arrived();
			await this.#gate;
		}
		return this.#backend.commit(incarnation, batch);
	}

	load: ActorBackend["load"] = (assignment, range) => this.#backend.load(assignment, range);
	get: ActorBackend["get"] = (incarnation, keys) => this.#backend.get(incarnation, keys);
	scan: ActorBackend["scan"] = (incarnation, range) => this.#backend.scan(incarnation, range);
	discard: ActorBackend["discard"] = (incarnation) => this.#backend.discard(incarnation);
}

/** Whole actors: what the promises of a backend are for. */
export function actorTests({ expect, test }: SuiteContext): void {
	test("an actor goes on where its last incarnation stopped", async (subject) => {
		const counters = new Counters(subject.backend);
		const first = await subject.newActor();
		const { actorId } = first;
		await counters.start(first);
		expect(await counters.call(actorId, "add", 2)).toBe(2);
		await counters.host.stop(actorId, "sleep");
		const gone = await failureOf(counters.call(actorId, "add", 0));
		expect(gone instanceof ActorGone).toBe(true);
		await counters.start(await subject.takeOver(actorId));
		expect(await counters.call(actorId, "add", 3)).toBe(5);
		await counters.host.stop(actorId, "sleep");
	});

	test("an answer leaves only when what the call wrote is committed", async (subject) => {
		const backend = new GatedBackend(subject.backend);
		const counters = new Counters(backend);
		const incarnation = await subject.newActor();
		const { actorId } = incarnation;
		await counters.start(incarnation);
		let isAnswered = false;
		const arrived = backend.hold();
		const call = counters.call(actorId, "add", 1).finally(() => {
			isAnswered = true;
		});
		const open = await arrived;
		// Whatever else was ready to run has run.
		await new Promise((resolve) => setTimeout(resolve));
		expect(isAnswered).toBe(false);
		open();
		expect(await call).toBe(1);
		await counters.host.stop(actorId, "sleep");
	});

	test("an incarnation that was replaced answers with an error, and its write is nowhere", async (subject) => {
		const [old, replacement] = [new Counters(subject.backend), new Counters(subject.backend)];
		const first = await subject.newActor();
		const { actorId } = first;
		await old.start(first);
		expect(await old.call(actorId, "add", 1)).toBe(1);
		await replacement.start(await subject.takeOver(actorId));
		const answer = await old.call(actorId, "add", 10);
		expect((answer as { status?: number }).status !== undefined, "an error").toBe(true);
		expect(await replacement.call(actorId, "add", 100)).toBe(101);
		await replacement.host.stop(actorId, "sleep");
	});

	test("a destroyed actor leaves nothing", async (subject) => {
		const counters = new Counters(subject.backend);
		const incarnation = await subject.newActor();
		const { actorId } = incarnation;
		await counters.start(incarnation);
		await counters.call(actorId, "add", 1);
		const ended = counters.ended(actorId);
		await counters.call(actorId, "end");
		expect(await ended).toBe("destroy");
		expect(await contents(subject.backend, incarnation)).toEqual({});
		expect(await subject.exists(actorId)).toBe(false);
	});
}
