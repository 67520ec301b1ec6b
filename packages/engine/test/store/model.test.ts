import { COLD_KEYS_START, type StorageOp } from "@rivetkit/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { openPostgresStore } from "../../src/store/postgres/open-postgres-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import type { NewActor, Store } from "../../src/store/store.ts";
import { manualClock } from "./fixtures.ts";
import { outcomeOf, StoreModel } from "./model.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const SEED = 20_261_124;
const SLOTS = 6;
const CREATE_TIMES = 4;

type Methods = Exclude<keyof StoreModel, "pickActor">;
/** Calls refer to what there is, so that most of them mean something. */
type Plan = (model: StoreModel) => Call;

type Call = { [M in Methods]: readonly [method: M, ...args: Parameters<Store[M]>] }[Methods];

const READS_OF_MANY: ReadonlySet<string> = new Set<Call[0]>([
	"insertActor",
	"importActor",
	"actorByKey",
	"listActors",
	"countActors",
	"listNames",
	"dueAlarms",
	"nextAlarmTs",
	"actorsToResume",
]);

interface Real {
	store: Store;
	/**
	 * Reads by key and of many actors may see what is called after them, and an insert may tell of a holder as
	 * it was before: they are called alone.
	 */
	readonly waitsForReadsOfMany?: true;
	/** Closes and opens again; undefined where nothing outlives the store. */
	readonly reopen?: () => Promise<Store>;
}

/** Some calls made without waiting in between: they may share a transaction, or not. */
class Turn implements fc.AsyncCommand<StoreModel, Real> {
	readonly #plans: readonly Plan[];
	#calls: readonly Call[] = [];

	constructor(plans: readonly Plan[]) {
		this.#plans = plans;
	}

	check(): boolean {
		return true;
	}

	async run(model: StoreModel, real: Real): Promise<void> {
		const expected: unknown[] = [];
		this.#calls = this.#plans.map((plan) => {
			const call = plan(model);
			expected.push(structuredClone(invokeModel(model, call)));
			return call;
		});
		const outcomes: Promise<unknown>[] = [];
		for (const call of this.#calls) {
			const isAlone = real.waitsForReadsOfMany && READS_OF_MANY.has(call[0]);
			if (isAlone) await Promise.all(outcomes);
			const outcome = outcomeOf(invoke(real.store, call));
			outcomes.push(outcome);
			if (isAlone) await outcome;
		}
		expect(await Promise.all(outcomes)).toEqual(expected);
	}

	/** What was called when it last ran. */
	toString(): string {
		return `Turn(${fc.stringify(this.#calls)})`;
	}
}

class Reopen implements fc.AsyncCommand<StoreModel, Real> {
	check(): boolean {
		return true;
	}

	async run(_model: StoreModel, real: Real): Promise<void> {
		if (real.reopen !== undefined) {
			real.store = await real.reopen();
		}
	}

	toString(): string {
		return "Reopen()";
	}
}

function invoke(store: Store, [method, ...args]: Call): Promise<unknown> {
	return (store[method] as (...values: unknown[]) => Promise<unknown>)(...args);
}

function invokeModel(model: StoreModel, [method, ...args]: Call): unknown {
	return (model[method] as (...values: unknown[]) => unknown).call(model, ...args);
}

/** Few keys, names and times, so that they meet often. */
const slot = fc.constantFrom(
	...Array.from({ length: SLOTS }, (_, index) => ({
		namespace: index === 5 ? "other" : "default",
		name: index % 2 === 0 ? "a" : "b",
		key: index < 4 ? "k" : `k${index}`,
	})),
);
/** On both sides of where cold keys begin, and there. */
const bytes = fc
	.array(fc.constantFrom(0, COLD_KEYS_START, 255), { maxLength: 2 })
	.map((numbers) => Uint8Array.from(numbers));
/** Picks an actor, and how far from its newest generation a caller believes to be. */
const actor = fc.nat(800);
const lag = fc.constantFrom(0, 0, 0, 0, 0, 0, 0, -1, 1);
const time = fc.nat(9);
const limit = fc.constantFrom(0, 1, 2, 100);
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

const op: fc.Arbitrary<StorageOp> = fc.oneof(
	{
		weight: 4,
		arbitrary: fc.record({ op: fc.constant("put" as const), key: bytes, value: bytes }),
	},
	fc.record({ op: fc.constant("delete" as const), key: bytes }),
	fc.record({ op: fc.constant("deleteRange" as const), start: bytes, end: orNull(bytes) }),
);

const batch = fc.record(
	{
		ops: fc.array(op, { maxLength: 6 }),
		alarmTs: orNull(time),
		record: fc.record(
			{
				initialised: fc.constant(true as const),
				startTs: time,
				connectableTs: orNull(time),
				sleepTs: orNull(time),
				connected: fc.boolean(),
			},
			{ requiredKeys: [] },
		),
	},
	{ requiredKeys: ["ops"] },
);

const newActor = fc
	.record({
		slot,
		takenId: fc.oneof({ weight: 7, arbitrary: fc.constant(null) }, actor),
		createTs: fc.nat(CREATE_TIMES),
		input: orNull(bytes),
		crashPolicy: fc.constantFrom("sleep", "restart"),
	})
	.map(({ slot: place, takenId, createTs, input, crashPolicy }) => {
		const newId = `id-${fc.hash(fc.stringify([place, takenId, createTs, input, crashPolicy]))}`;
		return (model: StoreModel): NewActor => ({
			...place,
			actorId: takenId === null ? newId : model.pickActor(takenId).actorId,
			runnerNameSelector: "default",
			crashPolicy,
			datacenter: "local",
			input,
			createTs,
		});
	});

const call: fc.Arbitrary<Plan> = fc.oneof(
	{
		weight: 4,
		arbitrary: fc.tuple(newActor, fc.boolean()).map(
			([made, acquire]): Plan =>
				(model) => ["insertActor", made(model), { acquire }],
		),
	},
	fc.tuple(newActor, batch).map(
		([made, fields]): Plan =>
			(model) => ["importActor", made(model), fields],
	),
	{
		weight: 4,
		arbitrary: actor.map(
			(pick): Plan =>
				(model) => ["acquire", model.pickActor(pick).actorId],
		),
	},
	{
		weight: 12,
		arbitrary: fc.tuple(actor, lag, batch).map(
			([pick, behind, fields]): Plan =>
				(model) => {
					const { actorId, generation } = model.pickActor(pick);
					return ["commit", { actorId, generation: generation + behind, ...fields }];
				},
		),
	},
	fc.tuple(actor, lag).map(
		([pick, behind]): Plan =>
			(model) => {
				const { actorId, generation } = model.pickActor(pick);
				return ["commit", { actorId, generation: generation + behind, ops: [], destroyTs: 5 }];
			},
	),
	fc.tuple(actor, lag).map(
		([pick, behind]): Plan =>
			(model) => {
				const { actorId, generation } = model.pickActor(pick);
				return ["discard", actorId, generation + behind];
			},
	),
	{
		weight: 2,
		arbitrary: fc.tuple(actor, fc.array(bytes, { maxLength: 3 })).map(
			([pick, keys]): Plan =>
				(model) => ["get", model.pickActor(pick).actorId, keys],
		),
	},
	{
		weight: 4,
		arbitrary: fc
			.tuple(
				actor,
				fc.record(
					{ start: bytes, end: orNull(bytes), limit, reverse: fc.boolean() },
					{ requiredKeys: ["start", "end"] },
				),
			)
			.map(
				([pick, range]): Plan =>
					(model) => ["scan", model.pickActor(pick).actorId, range],
			),
	},
	actor.map(
		(pick): Plan =>
			(model) => ["actorById", model.pickActor(pick).actorId],
	),
	slot.map(
		({ namespace, name, key }): Plan =>
			() => ["actorByKey", namespace, name, key],
	),
	{
		weight: 2,
		arbitrary: fc
			.tuple(
				actor,
				fc.record(
					{
						namespace: fc.constantFrom("default", "default", "other"),
						name: fc.constantFrom("a", "b"),
						key: fc.constantFrom("k", "k4"),
						includeDestroyed: fc.boolean(),
						before: fc.record({ createTs: fc.nat(CREATE_TIMES), withId: fc.boolean() }),
						limit,
					},
					{ requiredKeys: ["namespace", "limit"] },
				),
			)
			.map(
				([pick, { before, ...query }]): Plan =>
					(model) => {
						if (before === undefined) {
							return ["listActors", query];
						}
						const { createTs, withId } = before;
						const id = withId ? { actorId: model.pickActor(pick).actorId } : {};
						return ["listActors", { ...query, before: { createTs, ...id } }];
					},
			),
	},
	fc.constantFrom("default", "other").map(
		(namespace): Plan =>
			() => ["countActors", namespace],
	),
	fc
		.tuple(fc.constantFrom("default", "other"), limit, fc.option(fc.constantFrom("", "a", "b")))
		.map(
			([namespace, count, after]): Plan =>
				() =>
					after === null ? ["listNames", namespace, count] : ["listNames", namespace, count, after],
		),
	fc.tuple(time, limit, fc.option(fc.tuple(time, actor))).map(
		([now, count, after]): Plan =>
			(model) => {
				if (after === null) return ["dueAlarms", now, count];
				const [alarmTs, pick] = after;
				return ["dueAlarms", now, count, { alarmTs, actorId: model.pickActor(pick).actorId }];
			},
	),
	fc.constant<Plan>(() => ["nextAlarmTs"]),
	fc.tuple(limit, fc.option(actor)).map(
		([count, after]): Plan =>
			(model) =>
				after === null
					? ["actorsToResume", count]
					: ["actorsToResume", count, model.pickActor(after).actorId],
	),
);

const turn = fc.array(call, { minLength: 1, maxLength: 8 }).map((calls) => new Turn(calls));
// Commands are drawn evenly from this list, and reopening is slow.
const commands = fc.commands([...Array(12).fill(turn), fc.constant(new Reopen())], { size: "+1" });

async function checkAgainstModel(makeReal: () => Promise<Real>, numRuns: number): Promise<void> {
	await fc.assert(
		fc.asyncProperty(commands, async (cmds) => {
			const real = await makeReal();
			try {
				await fc.asyncModelRun(() => ({ model: new StoreModel(), real }), cmds);
			} finally {
				await real.store.close();
			}
		}),
		{ numRuns, seed: SEED },
	);
}

describe("against a model", () => {
	it("the memory store does the same, whatever is called in whatever order", async () => {
		await checkAgainstModel(
			async () => ({ store: createMemoryStore({ clock: manualClock(0) }) }),
			200,
		);
	});

	it("the SQLite store does the same, also across closing and opening", async () => {
		await checkAgainstModel(async () => {
			const directory = temporaryDirectory();
			const open = () =>
				openSqliteStore({ directory, clock: manualClock(0), sync: async () => {} });
			const real: Real = {
				store: await open(),
				reopen: async () => {
					await real.store.close();
					return open();
				},
			};
			return real;
		}, 40);
	});

	it("the PostgreSQL store does the same, also across closing and opening", async () => {
		await checkAgainstModel(async () => {
			const url = await emptiedDatabase();
			const open = () => openPostgresStore({ url, clock: manualClock(0) });
			const real: Real = {
				store: await open(),
				waitsForReadsOfMany: true,
				reopen: async () => {
					await real.store.close();
					return open();
				},
			};
			return real;
		}, 4);
	});
});
