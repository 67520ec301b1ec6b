import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect } from "vitest";
import type { LocalConnection } from "./local-connection.ts";
import type { LocalRawSocket } from "./local-raw-socket.ts";
import { HELD_PATH, PLAIN_PATH, RETRY_MS, type Look as Seen, type World } from "./world.ts";

export const KEYS = ["a", "b", "c"] as const;
export type Key = (typeof KEYS)[number];

/** Idle actors sleep after this time, the default of `sleepTimeout`, and the resolution of timers. */
const IDLE_MS = 30_500;

/** Looks until what is due must have fired; time stands still meanwhile. */
const LOOKS_MAX = 20;

interface OpenConnection {
	readonly key: Key;
	readonly real: LocalConnection;
	/** Payloads of the events it has to hear, in order. */
	readonly expected: number[];
}

interface OpenRawSocket {
	readonly key: Key;
	readonly id: string;
	readonly path: typeof HELD_PATH | typeof PLAIN_PATH;
	readonly real: LocalRawSocket;
	/** What it has to be answered, in order. */
	readonly expected: string[];
}

/** When the first try is made and when it has fired for good; odd ones fail at first. */
class Plan {
	readonly key: Key;
	readonly tag: number;
	dueMs: number;
	firedMs: number;
	/** Its place among those that fire at the same time. */
	orderMs: number;

	constructor(key: Key, tag: number, dueMs: number) {
		this.key = key;
		this.tag = tag;
		this.dueMs = dueMs;
		this.firedMs = this.#fails ? dueMs + RETRY_MS : dueMs;
		this.orderMs = this.firedMs;
	}

	get #fails(): boolean {
		return this.tag % 2 === 1;
	}

	/** The next time at which something has to be done, at this time; infinity for never again. */
	nextMs(nowMs: number): number {
		if (this.firedMs <= nowMs) return Number.POSITIVE_INFINITY;
		return this.dueMs > nowMs ? this.dueMs : this.firedMs;
	}

	/** No process ran from `fromMs` to `untilMs`: what was due then is done now. */
	wasDown(fromMs: number, untilMs: number): void {
		const nextMs = this.nextMs(fromMs);
		if (nextMs > untilMs) return;
		if (nextMs === this.dueMs) this.dueMs = untilMs;
		const failsNow = this.dueMs === untilMs && this.#fails;
		this.firedMs = failsNow ? untilMs + RETRY_MS : untilMs;
		this.orderMs = failsNow ? this.firedMs : nextMs;
	}
}

const byFiring = (left: Plan, right: Plan) =>
	left.firedMs - right.firedMs || left.orderMs - right.orderMs || left.tag - right.tag;

/** What the world must look like: counters, and who listens to them. */
export class Model {
	readonly #values = new Map<Key, number>();
	connections: OpenConnection[] = [];
	raws: OpenRawSocket[] = [];
	plans: Plan[] = [];
	tags = 0;

	/** What a look at the actor must show at this time. */
	seen(key: Key, nowMs: number): Seen {
		const plans = this.plans.filter((plan) => plan.key === key);
		const fired = plans.filter((plan) => plan.firedMs <= nowMs);
		const waiting = plans.filter((plan) => plan.firedMs > nowMs);
		const tagsOf = (some: readonly Plan[]) => some.map(({ tag }) => tag);
		return {
			value: this.value(key),
			connections: this.idsOf(key).sort(),
			fired: tagsOf(fired.sort(byFiring)),
			waiting: tagsOf(waiting),
			retrying: tagsOf(waiting.filter(({ dueMs }) => dueMs <= nowMs)),
		};
	}

	value(key: Key): number {
		return this.#values.get(key) ?? 0;
	}

	added(key: Key, times = 1): void {
		for (let time = 0; time < times; time++) {
			const value = this.value(key) + 1;
			this.#values.set(key, value);
			for (const connection of this.of(key)) connection.expected.push(value);
		}
	}

	/** After a crash nobody hears any more; the value is what the disk says. */
	set(key: Key, value: number): void {
		this.#values.set(key, value);
	}

	destroyed(key: Key): void {
		this.#values.delete(key);
		this.plans = this.plans.filter((plan) => plan.key !== key);
	}

	/** Ids of connections and raw WebSockets, of one actor or of all. */
	idsOf(key?: Key): string[] {
		const isOf = (other: { key: Key }) => key === undefined || other.key === key;
		const ids = this.connections.filter(isOf).map(({ real }) => real.id);
		return [...ids, ...this.raws.filter(isOf).map(({ id }) => id)];
	}

	/** Their process is gone, and nothing arrives any more. */
	cutAll(): void {
		for (const { real } of [...this.connections, ...this.raws]) real.cut();
		this.connections = [];
		this.raws = [];
	}

	/** Actors that cannot sleep by themselves. */
	get keptAwake(): Set<Key> {
		return new Set(this.raws.filter(({ path }) => path === PLAIN_PATH).map(({ key }) => key));
	}

	of(key: Key): OpenConnection[] {
		return this.connections.filter((connection) => connection.key === key);
	}
}

/** One step. What it changes is written down in the model; afterwards both must agree. */
abstract class Step implements fc.AsyncCommand<Model, World> {
	check(_model: Readonly<Model>): boolean {
		return true;
	}

	abstract step(model: Model, world: World): Promise<void>;

	/** Actors whose connections the step may end: sleep is no reason. */
	mayClose(): readonly Key[] {
		return [];
	}

	/** The same for raw WebSockets. */
	mayCloseRaw(_path: string): readonly Key[] {
		return this.mayClose();
	}

	abstract toString(): string;

	async run(model: Model, world: World): Promise<void> {
		await this.step(model, world);
		const arrived = () =>
			model.connections.every(
				({ real, expected }) => !real.isOpen || real.events.length >= expected.length,
			) &&
			model.raws.every(
				({ real, expected }) => !real.isOpen || real.received.length >= expected.length,
			);
		await world.until(arrived, "events");
		// Whatever is one too many would arrive now.
		await world.turns(2);
		for (const { key, real, expected } of model.connections) {
			if (!real.isOpen) expect(this.mayClose(), `connection to ${key}`).toContain(key);
			expect(real.events, `events of ${key}`).toEqual(expected.slice(0, real.events.length));
			if (real.isOpen) expect(real.events).toHaveLength(expected.length);
		}
		for (const { key, path, real, expected } of model.raws) {
			if (!real.isOpen) expect(this.mayCloseRaw(path), `raw socket to ${key}`).toContain(key);
			expect(real.received, `answers of ${key}`).toEqual(expected.slice(0, real.received.length));
		}
		model.connections = model.connections.filter(({ real }) => real.isOpen);
		model.raws = model.raws.filter(({ real }) => real.isOpen);
		expect(world.violations).toEqual([]);
	}
}

/** A step that concerns one actor. */
abstract class KeyStep extends Step {
	readonly key: Key;

	constructor(key: Key) {
		super();
		this.key = key;
	}

	override toString(): string {
		return `${this.constructor.name}(${this.key})`;
	}
}

/** A step that concerns one of the open connections. */
abstract class ConnectionStep extends Step {
	readonly #pick: number;

	constructor(pick: number) {
		super();
		this.#pick = pick;
	}

	override check({ connections }: Readonly<Model>): boolean {
		return connections.length > 0;
	}

	picked({ connections }: Model): OpenConnection {
		return connections[this.#pick % connections.length]!;
	}

	override toString(): string {
		return `${this.constructor.name}(${this.#pick})`;
	}
}

class Call extends KeyStep {
	async step(model: Model, world: World): Promise<void> {
		const value = await world.handle(this.key).add();
		model.added(this.key);
		expect(value).toBe(model.value(this.key));
	}
}

class Message extends ConnectionStep {
	async step(model: Model, _world: World): Promise<void> {
		const { key, real } = this.picked(model);
		const value = await real.call("add");
		model.added(key);
		expect(value).toBe(model.value(key));
	}
}

class Look extends KeyStep {
	async step(model: Model, world: World): Promise<void> {
		expect(await world.handle(this.key).look()).toEqual(model.seen(this.key, world.nowMs));
	}
}

class Schedule extends KeyStep {
	readonly #seconds: number;

	constructor(key: Key, seconds: number) {
		super(key);
		this.#seconds = seconds;
	}

	async step(model: Model, world: World): Promise<void> {
		const tag = model.tags++;
		const dueMs = world.nowMs + this.#seconds * 1_000;
		await world.handle(this.key).plan(tag, this.#seconds * 1_000);
		model.plans.push(new Plan(this.key, tag, dueMs));
	}

	override toString(): string {
		return `Schedule(${this.key}, in ${this.#seconds} s)`;
	}
}

class Connect extends KeyStep {
	async step(model: Model, world: World): Promise<void> {
		const real = await world.connect(this.key);
		model.connections.push({ key: this.key, real, expected: [] });
	}
}

class Disconnect extends ConnectionStep {
	async step(model: Model): Promise<void> {
		const connection = this.picked(model);
		connection.real.close();
		model.connections = model.connections.filter((other) => other !== connection);
	}
}

class OpenRaw extends KeyStep {
	readonly #path: OpenRawSocket["path"];

	constructor(key: Key, path: OpenRawSocket["path"]) {
		super(key);
		this.#path = path;
	}

	async step(model: Model, world: World): Promise<void> {
		const { id, socket } = await world.openRaw(this.key, this.#path);
		model.raws.push({ key: this.key, id, path: this.#path, real: socket, expected: [] });
	}

	override toString(): string {
		return `OpenRaw(${this.key}, ${this.#path})`;
	}
}

/** A step that concerns one of the open raw WebSockets. */
abstract class RawStep extends Step {
	readonly #pick: number;

	constructor(pick: number) {
		super();
		this.#pick = pick;
	}

	override check({ raws }: Readonly<Model>): boolean {
		return raws.length > 0;
	}

	picked({ raws }: Model): OpenRawSocket {
		return raws[this.#pick % raws.length]!;
	}

	override toString(): string {
		return `${this.constructor.name}(${this.#pick})`;
	}
}

/** Several at once: a sleeping actor is woken by the first, and handles each once and in order. */
class RawMessages extends RawStep {
	async step(model: Model, _world: World): Promise<void> {
		const { key, real, expected } = this.picked(model);
		for (let time = 0; time < 3; time++) {
			real.send(`m${time}`);
			model.added(key);
			expected.push(`m${time} ${model.value(key)}`);
		}
	}
}

class CloseRaw extends RawStep {
	async step(model: Model): Promise<void> {
		const raw = this.picked(model);
		raw.real.close();
		model.raws = model.raws.filter((other) => other !== raw);
	}
}

/** The actor comes to look as the model says, while time stands still. */
async function looksLike(model: Model, world: World, key: Key): Promise<void> {
	const expected = model.seen(key, world.nowMs);
	let seen = await world.handle(key).look();
	for (let looks = 0; looks < LOOKS_MAX && !isDeepStrictEqual(seen, expected); looks++) {
		await world.turns(10);
		seen = await world.handle(key).look();
	}
	expect(seen).toEqual(expected);
}

class Advance extends Step {
	readonly #seconds: number;

	constructor(seconds: number) {
		super();
		this.#seconds = seconds;
	}

	async step(model: Model, world: World): Promise<void> {
		const beganMs = world.nowMs;
		await world.advance(this.#seconds * 1_000);
		const { nowMs } = world;
		const fell = model.plans.flatMap((plan) => [plan.dueMs, plan.firedMs]);
		const lastMs = Math.max(beganMs, ...fell.filter((ms) => ms <= nowMs));
		// Their connections hibernate, so only raw WebSockets that do not keep idle actors awake.
		if (nowMs - lastMs > IDLE_MS) {
			await world.until(() => world.liveCount === model.keptAwake.size, "sleep");
		}
		// Actors that a schedule woke were woken by nobody else.
		const due = model.plans.filter((plan) => plan.dueMs > beganMs && plan.dueMs <= nowMs);
		for (const key of new Set(due.map((plan) => plan.key))) await looksLike(model, world, key);
	}

	override toString(): string {
		return `Advance(${this.#seconds} s)`;
	}
}

class Sleep extends KeyStep {
	async step(_model: Model, world: World): Promise<void> {
		const actorId = await world.idOf(this.key);
		await world.handle(this.key).nap();
		await world.until(() => !world.isLive(actorId), `${this.key} to sleep`);
	}

	override mayCloseRaw(path: string): readonly Key[] {
		return path === PLAIN_PATH ? [this.key] : [];
	}
}

/** Calls at once while the actor is told to sleep in between: none may be lost or refused. */
class CallsAroundSleep extends KeyStep {
	readonly #plan: readonly ("add" | "nap")[];

	constructor(key: Key, plan: readonly ("add" | "nap")[]) {
		super(key);
		this.#plan = plan;
	}

	async step(model: Model, world: World): Promise<void> {
		const handle = world.handle(this.key);
		const adds: Promise<number>[] = [];
		const naps: Promise<void>[] = [];
		for (const [index, name] of this.#plan.entries()) {
			if (name === "add") adds.push(handle.add());
			else naps.push(handle.nap());
			await world.turns(index % 3);
		}
		const before = model.value(this.key);
		const values = await Promise.all(adds);
		await Promise.all(naps);
		model.added(this.key, adds.length);
		expect(values.sort((left, right) => left - right)).toEqual(
			adds.map((_, index) => before + index + 1),
		);
	}

	override mayCloseRaw(path: string): readonly Key[] {
		return path === PLAIN_PATH ? [this.key] : [];
	}

	override toString(): string {
		return `CallsAroundSleep(${this.key}, ${this.#plan.join(" ")})`;
	}
}

class Destroy extends KeyStep {
	readonly #through: "c.destroy()" | "the engine";

	constructor(key: Key, through: "c.destroy()" | "the engine") {
		super(key);
		this.#through = through;
	}

	async step(model: Model, world: World): Promise<void> {
		const actorId = await world.idOf(this.key);
		if (this.#through === "the engine") await world.destroy(actorId);
		else await world.handle(this.key).end();
		await world.until(() => !world.isLive(actorId), `${this.key} to be destroyed`);
		expect(await world.callById(actorId)).toBe("actor.not_found");
		const left = [...model.of(this.key), ...model.raws.filter(({ key }) => key === this.key)];
		await world.until(() => left.every(({ real }) => !real.isOpen), "closed sockets");
		model.destroyed(this.key);
	}

	override mayClose(): readonly Key[] {
		return [this.key];
	}

	override toString(): string {
		return `Destroy(${this.key}, by ${this.#through})`;
	}
}

/** The process dies, some turns after calls were made: what was acknowledged by then must be there. */
class Crash extends Step {
	readonly #calls: readonly Key[];
	readonly #turns: number;

	constructor(calls: readonly Key[], turns: number) {
		super();
		this.#calls = calls;
		this.#turns = turns;
	}

	async step(model: Model, world: World): Promise<void> {
		const acknowledged = new Map<Key, number>();
		for (const key of this.#calls) {
			world
				.handle(key)
				.add()
				.then(
					() => acknowledged.set(key, (acknowledged.get(key) ?? 0) + 1),
					(error) => world.violations.push(`a call failed: ${error}`),
				);
		}
		await world.turns(this.#turns);
		const sure = new Map(acknowledged);
		world.crash();
		await lostWithTheProcess(model, world);
		for (const key of new Set(this.#calls)) {
			const { value } = await world.handle(key).look();
			const asked = this.#calls.filter((other) => other === key).length;
			expect(value, key).toBeGreaterThanOrEqual(model.value(key) + (sure.get(key) ?? 0));
			expect(value, key).toBeLessThanOrEqual(model.value(key) + asked);
			model.set(key, value);
		}
	}

	override toString(): string {
		return `Crash(${this.#turns} turns after calls to ${this.#calls.join(" ") || "nobody"})`;
	}
}

/**
 * Sockets end with their process, whether or not they outlive their actor. Each one that the store knows
 * gets its onDisconnect from the next process, though nobody calls its actor.
 */
async function lostWithTheProcess(model: Model, world: World): Promise<void> {
	const plain = new Set(model.raws.filter(({ path }) => path === PLAIN_PATH).map(({ id }) => id));
	const stored = model.idsOf().filter((id) => !plain.has(id));
	model.cutAll();
	const isTold = (id: string) => world.disconnectsOf(id) === 1;
	await world.until(() => stored.every(isTold), "onDisconnect of what was lost");
}

/** The process dies, and another one starts some time later: what fell due meanwhile is done then, in order. */
class Down extends Step {
	readonly #seconds: number;

	constructor(seconds: number) {
		super();
		this.#seconds = seconds;
	}

	async step(model: Model, world: World): Promise<void> {
		const fromMs = world.nowMs;
		const nextMs = (key: Key) =>
			Math.min(
				...model.plans.filter((plan) => plan.key === key).map((plan) => plan.nextMs(fromMs)),
			);
		const alarms = new Map(KEYS.map((key) => [key, nextMs(key)]));
		world.crash(this.#seconds * 1_000);
		const untilMs = world.nowMs;
		const due = KEYS.filter((key) => alarms.get(key)! <= untilMs);
		for (const plan of model.plans) plan.wasDown(fromMs, untilMs);
		await lostWithTheProcess(model, world);
		await world.until(() => due.every((key) => world.wakes.includes(key)), "overdue alarms");
		const woken = world.wakes.filter((key) => due.includes(key as Key)) as Key[];
		const times = woken.map((key) => alarms.get(key)!);
		expect(times, `order of ${woken}`).toEqual([...times].sort((left, right) => left - right));
		for (const key of due) await looksLike(model, world, key);
	}

	override toString(): string {
		return `Down(${this.#seconds} s)`;
	}
}

class Restart extends Step {
	async step(model: Model, world: World): Promise<void> {
		await world.restart();
		// Those of actors that were awake got theirs from the process that stopped.
		await lostWithTheProcess(model, world);
	}

	override toString(): string {
		return "Restart";
	}
}

const key = fc.constantFrom(...KEYS);
const pick = fc.nat(20);

/** Every kind of step, and how often it comes relative to the others. */
export const steps: readonly { weight: number; arbitrary: fc.Arbitrary<Step> }[] = [
	{ weight: 6, arbitrary: key.map((k) => new Call(k)) },
	{ weight: 4, arbitrary: pick.map((p) => new Message(p)) },
	{ weight: 3, arbitrary: key.map((k) => new Look(k)) },
	{
		weight: 3,
		// Never at the end of an Advance: what is due at that very moment may fire a tick later.
		arbitrary: fc
			.tuple(key, fc.constantFrom(0.5, 9.5, 29.5, 44.5, 300.5))
			.map(([k, seconds]) => new Schedule(k, seconds)),
	},
	{ weight: 4, arbitrary: key.map((k) => new Connect(k)) },
	{ weight: 2, arbitrary: pick.map((p) => new Disconnect(p)) },
	{
		weight: 3,
		arbitrary: fc.constantFrom(1, 10, 29, 31, 60, 600).map((seconds) => new Advance(seconds)),
	},
	{
		weight: 3,
		arbitrary: fc
			.tuple(key, fc.constantFrom<OpenRawSocket["path"]>(HELD_PATH, HELD_PATH, PLAIN_PATH))
			.map(([k, path]) => new OpenRaw(k, path)),
	},
	{ weight: 3, arbitrary: pick.map((p) => new RawMessages(p)) },
	{ weight: 2, arbitrary: pick.map((p) => new CloseRaw(p)) },
	{ weight: 2, arbitrary: fc.constantFrom(1, 20, 60, 400).map((seconds) => new Down(seconds)) },
	{ weight: 2, arbitrary: key.map((k) => new Sleep(k)) },
	{
		weight: 3,
		arbitrary: fc
			.tuple(key, fc.array(fc.constantFrom("add", "add", "nap"), { minLength: 2, maxLength: 8 }))
			.map(([k, plan]) => new CallsAroundSleep(k, plan)),
	},
	{
		weight: 1,
		arbitrary: fc
			.tuple(key, fc.constantFrom("c.destroy()", "the engine"))
			.map(([k, through]) => new Destroy(k, through)),
	},
	{
		weight: 2,
		arbitrary: fc
			.tuple(fc.array(key, { maxLength: 5 }), fc.nat(12))
			.map(([calls, turns]) => new Crash(calls, turns)),
	},
	{ weight: 1, arbitrary: fc.constant(null).map(() => new Restart()) },
];
