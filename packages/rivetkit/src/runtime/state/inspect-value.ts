import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { Fault } from "./invalid-type.ts";
import { nodeOf } from "./node-of.ts";
import type { StateTree } from "./state-tree.ts";
import type { TrackedNode } from "./tracked-node.ts";
import { valueKind } from "./value-kind.ts";

/** Objects seen before the inspection starts to remember the ones it has finished. */
const OBJECTS_WITHOUT_MEMORY = 32;

/**
 * Nesting of containers in one state, the root included. Below the codec's 1024 levels, because
 * values such as dates and the records around a state take some of them.
 */
const LEVELS_MAX = 1_000;

/**
 * Members of one array, holes included: each takes at least a byte when the state is encoded, also
 * those of a list that is all hole because a client named the index 4,000,000,000.
 */
export const ARRAY_LENGTH_MAX = 2 ** 26;

export const TOO_LONG = `arrays longer than ${ARRAY_LENGTH_MAX} cannot be stored`;
/**
 * A frozen object cannot be freed of its proxies. Those of containers may stay, the codec looks
 * through them; it cannot look through bytes.
 */
export const FROZEN = "a frozen object cannot hold bytes of the state, or parts of another state";
export const ACCESSOR = "getters and setters cannot be stored";
export const INVALID_DATE = "the date is invalid";

export interface InspectionContext {
	/** Objects that must not occur inside the value: those that will contain it. */
	ancestors?: readonly object[];
	/** The tree that will hold the value; without one, proxies are only looked through. */
	tree?: StateTree;
}

export interface Inspection {
	/** The first thing that cannot be stored; undefined when all can. */
	readonly fault: Fault | undefined;
	/** Takes the proxies out of the value, in place, and returns its raw form. */
	adopt(): unknown;
}

/** Why a value that is no object cannot be stored; undefined when it can. */
export function reasonAgainstPrimitive(value: unknown): string | undefined {
	switch (typeof value) {
		case "number":
			return Number.isFinite(value) ? undefined : `${value} cannot be stored`;
		case "function":
		case "symbol":
			return `${typeof value}s cannot be stored`;
		default:
			return undefined;
	}
}

/**
 * Walks a value once, without changing it: can all of it be stored, is it free of cycles, and which
 * proxies does it contain? Shared parts are walked once. Getters are refused, not called: a restart
 * would turn them into the value they had.
 */
export function inspectValue(value: unknown, context: InspectionContext = {}): Inspection {
	const walk = new Walk(value, context);
	if (!walk.visit(value)) walk.fault = { path: walk.path, reason: walk.reason };
	return walk;
}

class Walk {
	readonly root: unknown;
	fault: Fault | undefined = undefined;
	/** Of the fault; the path grows from its end while the recursion unwinds. */
	path = "";
	reason = "";
	readonly #tree: StateTree | undefined;
	/** The objects being walked, outermost first: meeting one of them again is a cycle. */
	readonly #open: object[];
	#levels = 0;
	#objectCount = 0;
	#done: Set<object> | undefined = undefined;
	/** Containers that hold proxies directly. */
	#holders: object[] | undefined = undefined;

	constructor(root: unknown, { ancestors, tree }: InspectionContext) {
		this.root = root;
		this.#tree = tree;
		this.#open = ancestors === undefined ? [] : [...ancestors];
		for (const ancestor of this.#open) this.#levels += levelsOf(ancestor);
	}

	/** False: a fault was found. */
	visit(value: unknown): boolean {
		if (typeof value === "object") return value === null || this.#visitObject(value);
		const reason = reasonAgainstPrimitive(value);
		return reason === undefined || this.#refuse(reason);
	}

	#refuse(reason: string): false {
		this.reason = reason;
		return false;
	}

	#visitObject(value: object): boolean {
		const raw = nodeOf(value)?.raw ?? value;
		if (this.#open.includes(raw)) return this.#refuse("it contains itself");
		if (this.#done?.has(raw)) return true;
		const kind = valueKind(raw);
		switch (kind) {
			case "regexp":
			case "error":
			case "bytes":
				return true;
			case "date":
				return !Number.isNaN((raw as Date).getTime()) || this.#refuse(INVALID_DATE);
			case "unstorable":
				return this.#refuse(
					`${Object.prototype.toString.call(raw).slice(8, -1)}s cannot be stored`,
				);
		}
		this.#levels += levelsOf(raw);
		if (this.#levels > LEVELS_MAX) return this.#refuse(`nested deeper than ${LEVELS_MAX} levels`);
		this.#open.push(raw);
		if (!this.#visitMembers(raw, kind)) return false;
		this.#open.pop();
		this.#levels -= levelsOf(raw);
		if (++this.#objectCount > OBJECTS_WITHOUT_MEMORY) {
			this.#done ??= new Set();
			this.#done.add(raw);
		}
		return true;
	}

	#visitMembers(raw: object, kind: "array" | "object" | "instance" | "map" | "set"): boolean {
		switch (kind) {
			case "array":
				return this.#visitArray(raw as unknown[]);
			case "map":
				return this.#visitMap(raw as Map<unknown, unknown>);
			case "set":
				return this.#visitSet(raw as Set<unknown>);
			case "object":
			case "instance":
				return this.#visitProperties(raw);
			default:
				return kind satisfies never;
		}
	}

	#visitArray(array: unknown[]): boolean {
		let holdsProxies = false;
		if (array.length > ARRAY_LENGTH_MAX) return this.#refuse(TOO_LONG);
		for (let index = 0; index < array.length; index++) {
			const member = array[index];
			if (!this.visit(member)) return this.#locate(`[${index}]`);
			holdsProxies ||= nodeOf(member) !== undefined;
		}
		if (holdsProxies && Object.isFrozen(array)) return this.#visitProperties(array);
		if (holdsProxies) this.#hold(array);
		return true;
	}

	#visitProperties(object: object): boolean {
		let holdsProxies = false;
		for (const key of Object.keys(object)) {
			const property = Object.getOwnPropertyDescriptor(object, key)!;
			if (!this.#visitProperty(property)) {
				return this.#locate(Array.isArray(object) ? `[${key}]` : `.${key}`);
			}
			holdsProxies ||= nodeOf(property.value) !== undefined;
		}
		if (holdsProxies) this.#hold(object);
		return true;
	}

	#visitProperty(property: PropertyDescriptor): boolean {
		if (property.get !== undefined || property.set !== undefined) return this.#refuse(ACCESSOR);
		if (!this.visit(property.value)) return false;
		if (property.configurable || property.writable) return true;
		const node = nodeOf(property.value);
		if (node === undefined) return true;
		const isOpaque = this.#isForeign(node) || ArrayBuffer.isView(node.raw);
		return !isOpaque || this.#refuse(FROZEN);
	}

	#visitMap(map: Map<unknown, unknown>): boolean {
		let holdsProxies = false;
		for (const [key, value] of map) {
			if (!this.visit(key)) return this.#locate(`.key(${keyLabel(key)})`);
			if (!this.visit(value)) return this.#locate(`.value(${keyLabel(key)})`);
			holdsProxies ||= nodeOf(key) !== undefined || nodeOf(value) !== undefined;
		}
		if (holdsProxies) this.#hold(map);
		return true;
	}

	#visitSet(set: Set<unknown>): boolean {
		let holdsProxies = false;
		let index = 0;
		for (const member of set) {
			if (!this.visit(member)) return this.#locate(`.set[${index}]`);
			holdsProxies ||= nodeOf(member) !== undefined;
			index++;
		}
		if (holdsProxies) this.#hold(set);
		return true;
	}

	#locate(segment: string): false {
		this.path = segment + this.path;
		return false;
	}

	#hold(container: object): void {
		this.#holders ??= [];
		this.#holders.push(container);
	}

	adopt(): unknown {
		if (this.#holders !== undefined) {
			for (const holder of this.#holders) replaceProxies(holder, (value) => this.#adoptOne(value));
		}
		return this.#adoptOne(this.root);
	}

	#isForeign(node: TrackedNode): boolean {
		return this.#tree !== undefined && node.tree !== this.#tree;
	}

	/** Ours: the raw object. Another tree's: a copy, so that no object belongs to two trees. */
	#adoptOne(value: unknown): unknown {
		const node = nodeOf(value);
		if (node === undefined) return value;
		if (this.#isForeign(node)) return copyAsStored(node.raw);
		this.#tree?.register(node);
		return node.raw;
	}
}

function copyAsStored(raw: object): unknown {
	return decodeCbor(encodeCbor(raw));
}

/** Levels of the codec's nesting that a container takes: a set is a tag around an array. */
function levelsOf(container: object): number {
	return container instanceof Set ? 2 : 1;
}

/** Replaces the direct members of a container; keeps the order of maps and sets. */
function replaceProxies(holder: object, adopt: (value: unknown) => unknown): void {
	if (holder instanceof Map) {
		const entries = [...holder];
		holder.clear();
		for (const [key, value] of entries) holder.set(adopt(key), adopt(value));
	} else if (holder instanceof Set) {
		const members = [...holder];
		holder.clear();
		for (const member of members) holder.add(adopt(member));
	} else {
		for (const key of Object.keys(holder)) {
			const value: unknown = Reflect.get(holder, key);
			const adopted = adopt(value);
			// A frozen property keeps its proxy; see FROZEN.
			if (adopted !== value) Reflect.defineProperty(holder, key, { value: adopted });
		}
	}
}

/** A map key as the contract writes it in paths: `.key(k)`, `.value(k)`. */
export function keyLabel(key: unknown): string {
	return typeof key === "object" && key !== null ? valueKind(key) : String(key);
}
