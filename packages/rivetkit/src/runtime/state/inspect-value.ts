import { cloneStorable } from "./clone-storable.ts";
import { nodeOf } from "./node-of.ts";
import type { StateTree } from "./state-tree.ts";
import { valueKind } from "./value-kind.ts";

/** Objects seen before the inspection starts to remember the ones it has finished. */
const OBJECTS_WITHOUT_MEMORY = 32;

export interface InspectionContext {
	/** Objects that must not occur inside the value: those that will contain it. */
	ancestors?: readonly object[];
	/** The tree that will hold the value; without one, proxies are only looked through. */
	tree?: StateTree;
}

export interface Inspection {
	/** Path below the value of the first thing that cannot be stored; undefined when all can. */
	readonly fault: string | undefined;
	/** Takes the proxies out of the value, in place, and returns its raw form. */
	adopt(): object;
}

/**
 * Walks a value once, without changing it: can all of it be stored, is it free of cycles, and which
 * proxies does it contain? Shared parts are walked once. Getters are refused, not called: what they
 * compute would be frozen into a plain value by a restart.
 */
export function inspectValue(value: object, context: InspectionContext = {}): Inspection {
	const walk = new Walk(context);
	walk.fault = walk.visit(value);
	walk.root = value;
	return walk;
}

class Walk implements Inspection {
	fault: string | undefined = undefined;
	root: object = this;
	readonly #tree: StateTree | undefined;
	/** The objects being walked, outermost first: meeting one of them again is a cycle. */
	readonly #open: object[];
	#objectCount = 0;
	#done: Set<object> | undefined = undefined;
	/** Containers that hold proxies directly. */
	#holders: object[] | undefined = undefined;

	constructor(context: InspectionContext) {
		this.#tree = context.tree;
		this.#open = context.ancestors === undefined ? [] : [...context.ancestors];
	}

	visit(value: unknown): string | undefined {
		switch (typeof value) {
			case "string":
			case "boolean":
			case "bigint":
			case "undefined":
				return undefined;
			case "number":
				return Number.isFinite(value) ? undefined : "";
			case "object":
				return value === null ? undefined : this.#visitObject(value);
			default:
				return "";
		}
	}

	#visitObject(value: object): string | undefined {
		const raw = nodeOf(value)?.raw ?? value;
		if (this.#open.includes(raw)) return "";
		if (this.#done?.has(raw)) return undefined;
		const kind = valueKind(raw);
		let fault: string | undefined;
		switch (kind) {
			case "regexp":
			case "error":
			case "bytes":
				return undefined;
			case "date":
				return Number.isNaN((raw as Date).getTime()) ? "" : undefined;
			case "unstorable":
				return "";
		}
		this.#open.push(raw);
		switch (kind) {
			case "array":
				fault = this.#visitArray(raw as unknown[]);
				break;
			case "map":
				fault = this.#visitMap(raw as Map<unknown, unknown>);
				break;
			case "set":
				fault = this.#visitSet(raw as Set<unknown>);
				break;
			case "object":
			case "instance":
				fault = this.#visitProperties(raw);
				break;
			default:
				kind satisfies never;
		}
		this.#open.pop();
		if (++this.#objectCount > OBJECTS_WITHOUT_MEMORY) {
			this.#done ??= new Set();
			this.#done.add(raw);
		}
		return fault;
	}

	#visitArray(array: unknown[]): string | undefined {
		let holdsProxies = false;
		for (let index = 0; index < array.length; index++) {
			const member = array[index];
			const fault = this.visit(member);
			if (fault !== undefined) return `[${index}]${fault}`;
			holdsProxies ||= nodeOf(member) !== undefined;
		}
		if (holdsProxies) this.#hold(array);
		return undefined;
	}

	#visitProperties(object: object): string | undefined {
		let holdsProxies = false;
		for (const key of Object.keys(object)) {
			const property = Object.getOwnPropertyDescriptor(object, key)!;
			if (property.get !== undefined || property.set !== undefined) return `.${key}`;
			const fault = this.visit(property.value);
			if (fault !== undefined) return `.${key}${fault}`;
			holdsProxies ||= nodeOf(property.value) !== undefined;
		}
		if (holdsProxies) this.#hold(object);
		return undefined;
	}

	#visitMap(map: Map<unknown, unknown>): string | undefined {
		let holdsProxies = false;
		for (const [key, value] of map) {
			const keyFault = this.visit(key);
			if (keyFault !== undefined) return `.key(${keyLabel(key)})${keyFault}`;
			const valueFault = this.visit(value);
			if (valueFault !== undefined) return `.value(${keyLabel(key)})${valueFault}`;
			holdsProxies ||= nodeOf(key) !== undefined || nodeOf(value) !== undefined;
		}
		if (holdsProxies) this.#hold(map);
		return undefined;
	}

	#visitSet(set: Set<unknown>): string | undefined {
		let holdsProxies = false;
		let index = 0;
		for (const member of set) {
			const fault = this.visit(member);
			if (fault !== undefined) return `.set[${index}]${fault}`;
			holdsProxies ||= nodeOf(member) !== undefined;
			index++;
		}
		if (holdsProxies) this.#hold(set);
		return undefined;
	}

	#hold(container: object): void {
		this.#holders ??= [];
		this.#holders.push(container);
	}

	adopt(): object {
		if (this.#holders !== undefined) {
			for (const holder of this.#holders) replaceProxies(holder, (value) => this.#adoptOne(value));
		}
		return this.#adoptOne(this.root) as object;
	}

	/** Ours: the raw object. Another tree's: a copy, so that no object belongs to two trees. */
	#adoptOne(value: unknown): unknown {
		const node = nodeOf(value);
		if (node === undefined) return value;
		return this.#tree === undefined || node.tree === this.#tree
			? node.raw
			: cloneStorable(node.raw);
	}
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
			// A read-only property keeps its proxy, which the tree looks through (see ObjectNode).
			if (adopted !== value) Reflect.defineProperty(holder, key, { value: adopted });
		}
	}
}

/** A map key as the contract writes it in paths: `.key(k)`, `.value(k)`. */
export function keyLabel(key: unknown): string {
	return typeof key === "object" && key !== null ? valueKind(key) : String(key);
}
