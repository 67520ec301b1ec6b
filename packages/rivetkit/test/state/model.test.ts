import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rawOf } from "../../src/runtime/state/node-of.ts";
import { type Counted, track } from "./track.ts";

/**
 * Random programs run on a tracked tree and on a plain one. After each step both must hold the same,
 * and a change must have been reported exactly when the plain tree changed. Programs hold on to parts
 * they read earlier, so they write to moved, shared, removed and re-inserted objects as well.
 */

/** The same thing on both sides. */
interface Pair {
	readonly plain: unknown;
	readonly tracked: unknown;
}

type ValueSpec =
	| { readonly kind: "scalar"; readonly scalar: unknown }
	| { readonly kind: "date"; readonly time: number }
	| { readonly kind: "bytes"; readonly bytes: readonly number[] }
	| {
			readonly kind: "object" | "instance";
			readonly properties: Readonly<Record<string, ValueSpec>>;
	  }
	| { readonly kind: "array" | "set"; readonly members: readonly ValueSpec[] }
	| { readonly kind: "map"; readonly entries: readonly (readonly [ValueSpec, ValueSpec])[] }
	| { readonly kind: "held"; readonly index: number };

interface Step {
	/** Which object to work on: one that is held, or one found by walking the tree. */
	readonly from: "held" | "tree";
	readonly where: number;
	readonly operation: number;
	readonly a: number;
	readonly b: number;
	readonly key: string;
	readonly value: ValueSpec;
}

class Point {
	[key: string]: unknown;
}

const scalar = fc.oneof(
	fc.integer({ min: -2, max: 3 }),
	fc.constantFrom<unknown>(-0, 0.5, true, false, null, undefined, "", "text", 7n),
);
const key = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "0");

const { value: valueSpec } = fc.letrec<{ value: ValueSpec }>((tie) => ({
	value: fc.oneof(
		{ maxDepth: 3, withCrossShrink: true },
		scalar.map((made): ValueSpec => ({ kind: "scalar", scalar: made })),
		{ weight: 3, arbitrary: fc.nat(30).map((index): ValueSpec => ({ kind: "held", index })) },
		fc.integer({ min: 0, max: 3 }).map((time): ValueSpec => ({ kind: "date", time })),
		fc.array(fc.nat(3), { maxLength: 3 }).map((bytes): ValueSpec => ({ kind: "bytes", bytes })),
		fc
			.tuple(
				fc.constantFrom("object", "instance"),
				fc.dictionary(key, tie("value"), { maxKeys: 3 }),
			)
			.map(([kind, properties]): ValueSpec => ({ kind, properties })),
		fc
			.tuple(fc.constantFrom("array", "set"), fc.array(tie("value"), { maxLength: 3 }))
			.map(([kind, members]): ValueSpec => ({ kind, members })),
		fc
			.array(fc.tuple(tie("value"), tie("value")), { maxLength: 2 })
			.map((entries): ValueSpec => ({ kind: "map", entries })),
	),
}));

const step: fc.Arbitrary<Step> = fc.record({
	// Walking the tree reads all of it; held objects are the ones whose places are not fresh.
	from: fc.constantFrom("held", "held", "held", "held", "tree"),
	where: fc.nat(50),
	operation: fc.nat(20),
	a: fc.integer({ min: -1, max: 4 }),
	b: fc.integer({ min: -1, max: 4 }),
	key,
	value: valueSpec,
});

const program = fc.array(step, { minLength: 1, maxLength: 30, size: "max" });

function build(spec: ValueSpec, held: readonly unknown[]): unknown {
	switch (spec.kind) {
		case "scalar":
			return spec.scalar;
		case "held":
			return held[spec.index % held.length];
		case "date":
			return new Date(spec.time);
		case "bytes":
			return Uint8Array.from(spec.bytes);
		case "array":
			return spec.members.map((member) => build(member, held));
		case "set":
			return new Set(spec.members.map((member) => build(member, held)));
		case "map":
			return new Map(spec.entries.map(([k, v]) => [build(k, held), build(v, held)]));
		case "object":
		case "instance": {
			const object = spec.kind === "object" ? {} : new Point();
			for (const [name, member] of Object.entries(spec.properties)) {
				define(object, name, build(member, held));
			}
			return object;
		}
	}
}

function define(object: object, name: string, value: unknown): void {
	Object.defineProperty(object, name, {
		value,
		writable: true,
		enumerable: true,
		configurable: true,
	});
}

type Kind = "object" | "array" | "map" | "set" | "date" | "bytes";

interface Operations {
	/** Those that put the step's value into the target. */
	readonly storing: readonly Operation[];
	readonly other: readonly Operation[];
}

type Operation = (target: never, step: Step, value: unknown) => unknown;

/** What can be done to each kind of object. Each makes at most one change. */
const operations: Readonly<Record<Kind, Operations>> = {
	object: {
		storing: [
			(target: object, s, value) => setOwn(target, s.key, value),
			(target: object, s, value) => define(target, s.key, value),
		],
		other: [(target: object, s) => Reflect.deleteProperty(target, s.key)],
	},
	array: {
		storing: [
			(target: unknown[], s, value) => Reflect.set(target, Math.max(0, s.a), value),
			(target: unknown[], s, value) => target.push(value, s.a),
			(target: unknown[], s, value) => target.unshift(s.a, value),
			(target: unknown[], s, value) => target.splice(s.a, s.b, value),
			(target: unknown[], s, value) => target.fill(value, s.a, s.b),
		],
		other: [
			(target: unknown[], s) => Reflect.set(target, "length", Math.max(0, s.a)),
			(target: unknown[], s) => Reflect.deleteProperty(target, String(s.a)),
			(target: unknown[]) => target.pop(),
			(target: unknown[]) => target.shift(),
			(target: unknown[], s) => target.splice(s.a, s.b),
			(target: unknown[], s) => target.sort((x, y) => (rank(x) - rank(y)) * (s.a || 1)),
			(target: unknown[]) => target.reverse(),
			(target: unknown[], s) => target.copyWithin(s.a, s.b),
		],
	},
	map: {
		storing: [
			(target: Map<unknown, unknown>, s, value) => void target.set(s.key, value),
			(target: Map<unknown, unknown>, s, value) => void target.set(value, s.a),
		],
		other: [
			(target: Map<unknown, unknown>, s) => target.delete(s.key),
			(target: Map<unknown, unknown>, s) => target.delete([...target.keys()][s.a]),
			(target: Map<unknown, unknown>) => target.clear(),
		],
	},
	set: {
		storing: [(target: Set<unknown>, _s, value) => void target.add(value)],
		other: [
			(target: Set<unknown>, s) => target.delete([...target][s.a]),
			(target: Set<unknown>) => target.clear(),
		],
	},
	date: {
		storing: [],
		other: [
			(target: Date, s) => target.setTime(s.a),
			(target: Date, s) => target.setUTCHours(s.a, s.b),
		],
	},
	bytes: {
		storing: [],
		other: [
			(target: Uint8Array, s) => Reflect.set(target, Math.max(0, s.a), s.b),
			(target: Uint8Array, s) => void target.fill(s.a, s.b),
			(target: Uint8Array, s) => void target.subarray(1).fill(s.a),
			(target: Uint8Array) => void target.reverse(),
			(target: Uint8Array) => void target.sort(),
		],
	},
};

/** `target[key] = value`, with `__proto__` as the data property that state makes of it. */
function setOwn(target: object, name: string, value: unknown): void {
	if (name === "__proto__") define(target, name, value);
	else Reflect.set(target, name, value);
}

function rank(value: unknown): number {
	return typeof value === "number" ? value : typeof value === "object" ? 9 : 5;
}

function kindOf(value: unknown): Kind | undefined {
	if (typeof value !== "object" || value === null) return undefined;
	if (Array.isArray(value)) return "array";
	if (value instanceof Map) return "map";
	if (value instanceof Set) return "set";
	if (value instanceof Date) return "date";
	if (value instanceof Uint8Array) return "bytes";
	return "object";
}

/** Direct members of an object, in the same order on both sides. */
function membersOf(value: unknown): unknown[] {
	switch (kindOf(value)) {
		case "array":
			return [...(value as unknown[])];
		case "map":
			return [...(value as Map<unknown, unknown>)].flat();
		case "set":
			return [...(value as Set<unknown>)];
		case "object":
			return Object.keys(value as object).map((name) => Reflect.get(value as object, name));
		default:
			return [];
	}
}

/** Every object of the tree, on both sides; shared ones once for each place. */
function objectsBelow(pair: Pair): Pair[] {
	if (kindOf(pair.plain) === undefined) return [];
	const tracked = membersOf(pair.tracked);
	const below = membersOf(pair.plain).map((plain, index) => ({ plain, tracked: tracked[index] }));
	return [pair, ...below.flatMap(objectsBelow)];
}

function contains(value: unknown, wanted: unknown): boolean {
	return value === wanted || membersOf(value).some((member) => contains(member, wanted));
}

function snapshot(value: unknown): string {
	return inspect(value, {
		depth: Number.POSITIVE_INFINITY,
		maxArrayLength: null,
		breakLength: 120,
	});
}

/** Objects that a program holds; the oldest go first. */
const HELD_MAX = 8;

class Machine {
	readonly plain: { root: unknown };
	readonly tracked: Counted<unknown>;
	readonly held: Pair[] = [];

	constructor(initial: ValueSpec) {
		const root = (): object => ({ first: build(initial, [undefined]) });
		this.plain = { root: root() };
		this.tracked = track<unknown>(root());
		this.held.push(this.root());
	}

	root(): Pair {
		return { plain: this.plain.root, tracked: this.tracked.value };
	}

	/** Runs one step on both sides and compares them. */
	run(step: Step): void {
		const candidates = step.from === "held" ? this.held : objectsBelow(this.root());
		const target = candidates[step.where % candidates.length]!;
		const kind = kindOf(target.plain);
		if (kind === undefined) return;
		this.#keep(target);
		const { storing, other } = operations[kind];
		const chosen = step.operation % (storing.length + other.length);
		const isStoring = chosen < storing.length;
		const run = [...storing, ...other][chosen] as (
			target: unknown,
			step: Step,
			value: unknown,
		) => unknown;
		const plainValue = build(
			step.value,
			this.held.map(({ plain }) => plain),
		);
		const trackedValue = build(
			step.value,
			this.held.map(({ tracked }) => tracked),
		);

		const before = snapshot(this.plain.root);
		const isAttached = contains(this.plain.root, target.plain);
		const changesBefore = this.tracked.changes;
		if (isStoring && contains(plainValue, target.plain)) {
			if (isAttached) this.#expectRefusal(() => run(target.tracked, step, trackedValue));
			return;
		}
		// One object in place of another that looks the same is a change.
		const looksMayDeceive =
			(isStoring && kindOf(plainValue) !== undefined) ||
			(kind === "array" && membersOf(target.plain).some((member) => kindOf(member) !== undefined));
		const plainResult = run(target.plain, step, plainValue);
		const trackedResult = run(target.tracked, step, trackedValue);

		const after = snapshot(this.plain.root);
		expect(snapshot(this.tracked.raw)).toBe(after);
		const changes = this.tracked.changes - changesBefore;
		if (before !== after) expect(changes).toBe(1);
		else if (!isAttached || !looksMayDeceive) expect(changes).toBe(0);
		else expect(changes).toBeLessThanOrEqual(1);

		this.#hold({ plain: plainResult, tracked: trackedResult });
	}

	#expectRefusal(act: () => unknown): void {
		const before = snapshot(this.tracked.raw);
		const changes = this.tracked.changes;
		expect(act).toThrow("it contains itself");
		expect(snapshot(this.tracked.raw)).toBe(before);
		expect(this.tracked.changes).toBe(changes);
	}

	#keep(pair: Pair): void {
		if (this.held.some(({ plain }) => plain === pair.plain)) return;
		this.held.push(pair);
		if (this.held.length > HELD_MAX) this.held.shift();
	}

	/** Keeps what an operation took out. */
	#hold(result: Pair): void {
		expect(kindOf(result.tracked)).toBe(kindOf(result.plain));
		if (kindOf(result.plain) === undefined) {
			expect(result.tracked).toBe(result.plain);
		} else if (Array.isArray(result.plain) && rawOf(result.tracked) === result.tracked) {
			// An array made for the result; its members are what was removed.
			const members = result.tracked as unknown[];
			for (const [index, plain] of result.plain.entries()) {
				this.#keep({ plain, tracked: members[index] });
			}
		} else {
			expect(snapshot(rawOf(result.tracked))).toBe(snapshot(result.plain));
			this.#keep(result);
		}
	}
}

describe("a tracked tree", () => {
	it("holds what a plain one holds, and reports each change once", () => {
		fc.assert(
			fc.property(valueSpec, program, (initial, steps) => {
				const machine = new Machine(initial);
				for (const each of steps) machine.run(each);
			}),
			{ numRuns: 400 },
		);
	});

	it("gives one proxy for one object, wherever it is read", () => {
		fc.assert(
			fc.property(valueSpec, program, (initial, steps) => {
				const machine = new Machine(initial);
				for (const each of steps) machine.run(each);
				const proxies = new Map<unknown, unknown>();
				for (const { plain, tracked } of objectsBelow(machine.root())) {
					if (!proxies.has(plain)) proxies.set(plain, tracked);
					expect(tracked).toBe(proxies.get(plain));
				}
			}),
			{ numRuns: 200 },
		);
	});
});
