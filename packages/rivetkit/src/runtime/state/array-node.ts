import { type NativeMethod, standIn } from "./native-methods.ts";
import { nodeOf } from "./node-of.ts";
import { ObjectNode } from "./object-node.ts";
import type { Segment, TrackedNode } from "./tracked-node.ts";

/** An array. One call of a method that mutates is one change; methods that read see proxies. */
export class ArrayNode extends ObjectNode<unknown[]> {
	override get(_target: unknown[], key: PropertyKey, _receiver: unknown): unknown {
		const value: unknown = (this.raw as unknown as Record<PropertyKey, unknown>)[key];
		switch (typeof value) {
			case "object":
				return value === null ? null : this.readObject(key, value);
			case "function":
				return METHODS.get(key) ?? value;
			case "undefined":
				return this.identify(key);
			default:
				return value;
		}
	}

	override holds(child: TrackedNode): boolean {
		if (super.holds(child)) return true;
		let index = this.raw.indexOf(child.raw);
		if (index === -1) index = this.raw.indexOf(child.proxy);
		if (index === -1) return false;
		child.at = index;
		return true;
	}

	override segment(at: unknown): Segment {
		const text = String(at);
		return typeof at === "number" || /^(0|[1-9]\d*)$/.test(text) ? `[${text}]` : super.segment(at);
	}

	/** Runs a native mutator on the raw array, as one change. */
	mutate(method: NativeMethod, args: readonly unknown[], mutator: Mutator): unknown {
		const attached = this.beginWrite();
		const raw = this.raw;
		const admitted = args.map((argument, position) => {
			const index = mutator.indexOfArgument(position, raw.length, args);
			return index === undefined ? argument : this.admit(argument, index, attached);
		});
		const hasChanged = mutator.observe(raw, admitted);
		const result = method.apply(raw, admitted);
		this.renewStandIn();
		if (hasChanged(result)) this.changed(attached);
		if (result === raw) return this.proxy;
		if (Array.isArray(result)) return result.map((member) => this.wrapRemoved(member));
		return this.wrapRemoved(result);
	}

	/** `indexOf` and its like find a member by its proxy as well as by its raw object. */
	search(method: NativeMethod, [wanted, ...rest]: readonly unknown[]): unknown {
		const node = nodeOf(wanted);
		if (node === undefined) return method.call(this.raw, wanted, ...rest);
		const found = method.call(this.raw, node.raw, ...rest);
		return found === -1 || found === false ? method.call(this.raw, wanted, ...rest) : found;
	}

	sort(method: NativeMethod, [compare]: readonly unknown[]): unknown {
		if (typeof compare !== "function") return this.mutate(method, [compare], REORDER);
		const compareProxies = (a: unknown, b: unknown): unknown =>
			compare(this.wrap(a, UNKNOWN_INDEX), this.wrap(b, UNKNOWN_INDEX));
		return this.mutate(method, [compareProxies], REORDER);
	}
}

/** A hint that never fits, so that the index is looked up when it matters. */
const UNKNOWN_INDEX = -1;

interface Mutator {
	/** The index at which an argument will sit; undefined for arguments that are not stored. */
	indexOfArgument(position: number, length: number, args: readonly unknown[]): number | undefined;
	/** Called before the method runs; the answer tells, from its result, whether it changed anything. */
	observe(raw: readonly unknown[], admitted: readonly unknown[]): (result: unknown) => boolean;
}

const nothingStored = (): undefined => undefined;

const compareContent: Mutator["observe"] = (raw) => {
	const before = raw.slice();
	return () => !isSameArray(before, raw);
};

const compareLength: Mutator["observe"] = (raw) => {
	const before = raw.length;
	return () => raw.length !== before;
};

const REORDER: Mutator = { indexOfArgument: nothingStored, observe: compareContent };
const TAKE: Mutator = { indexOfArgument: nothingStored, observe: compareLength };

const MUTATORS: Record<string, Mutator> = {
	push: { indexOfArgument: (position, length) => length + position, observe: compareLength },
	pop: TAKE,
	shift: TAKE,
	unshift: { indexOfArgument: (position) => position, observe: compareLength },
	splice: {
		indexOfArgument: (position, length, args) =>
			position < 2 ? undefined : relativeIndex(args[0], length) + position - 2,
		observe: (_raw, admitted) => (removed) => !isSameArray(removed as unknown[], admitted.slice(2)),
	},
	reverse: REORDER,
	fill: {
		indexOfArgument: (position, length, args) =>
			position === 0 ? relativeIndex(args[1], length) : undefined,
		observe: compareContent,
	},
	copyWithin: REORDER,
};

const METHODS: ReadonlyMap<PropertyKey, NativeMethod> = new Map([
	...Object.entries(MUTATORS).map(([name, mutator]) =>
		tracked(name, (node, method, args) => node.mutate(method, args, mutator)),
	),
	tracked("sort", (node, method, args) => node.sort(method, args)),
	...["includes", "indexOf", "lastIndexOf"].map((name) =>
		tracked(name, (node, method, args) => node.search(method, args)),
	),
]);

function tracked(
	name: string,
	run: (node: ArrayNode, method: NativeMethod, args: unknown[]) => unknown,
): [string, NativeMethod] {
	const native = Reflect.get(Array.prototype, name) as NativeMethod;
	return [name, standIn(native, ArrayNode, (node, args) => run(node, native, args))];
}

/** An index argument as the array methods read it: negative ones count from the end. */
function relativeIndex(argument: unknown, length: number): number {
	const index = Math.trunc(Number(argument)) || 0;
	return index < 0 ? Math.max(0, length + index) : Math.min(index, length);
}

function isSameArray(before: readonly unknown[], after: readonly unknown[]): boolean {
	if (before.length !== after.length) return false;
	return before.every((member, index) => Object.is(member, after[index]));
}
