import { arrayIndex } from "./array-index.ts";
import { ARRAY_MUTATORS, type ArrayMutator, isSameArray, REORDER } from "./array-mutators.ts";
import { ARRAY_READERS } from "./array-readers.ts";
import { ARRAY_LENGTH_MAX, TOO_LONG } from "./inspect-value.ts";
import { type NativeMethod, standIn } from "./native-methods.ts";
import { ObjectNode } from "./object-node.ts";
import type { Segment, TrackedNode } from "./tracked-node.ts";

/** A hint that never fits, so that the index is looked up when it matters. */
const UNKNOWN_INDEX = -1;

/** An array. One call of a method that mutates is one change; methods that read see proxies. */
export class ArrayNode extends ObjectNode<unknown[]> {
	override get(_target: unknown[], key: PropertyKey, _receiver: unknown): unknown {
		const index = arrayIndex(key);
		if (index >= 0) return this.wrap(this.raw[index], index);
		const value: unknown = Reflect.get(this.raw, key);
		switch (typeof value) {
			case "function":
				return METHODS.get(key) ?? value;
			case "object":
				return value === null ? null : this.readObject(key, value);
			case "undefined":
				return this.answer(key);
			default:
				return value;
		}
	}

	override set(target: unknown[], key: PropertyKey, value: unknown, receiver: unknown): boolean {
		const index = arrayIndex(key);
		return super.set(target, index >= 0 ? index : key, value, receiver);
	}

	protected override reasonAgainst(key: PropertyKey, value: unknown): string | undefined {
		if (typeof key === "symbol") return super.reasonAgainst(key, value);
		const length = key === "length" ? Number(value) : Number(key) + 1;
		return length > ARRAY_LENGTH_MAX ? TOO_LONG : undefined;
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
		return typeof at === "number" || /^\d+$/.test(String(at)) ? `[${at}]` : super.segment(at);
	}

	/** A member as users see it. */
	member(value: unknown, index: number): unknown {
		return this.wrap(value, index);
	}

	/** Runs a native mutator on the raw array, as one change. */
	mutate(method: NativeMethod, args: readonly unknown[], mutator: ArrayMutator): unknown {
		const attached = this.beginWrite();
		const raw = this.raw;
		const length = raw.length;
		const inspections = args.map((argument, position) => {
			const index = mutator.indexOfArgument(position, length, args);
			return index === undefined ? undefined : this.inspect(argument, index, attached);
		});
		const admitted = args.map((argument, position) => {
			const inspection = inspections[position];
			return inspection === undefined ? argument : this.adopt(argument, inspection);
		});
		const before = mutator.changes === "content" ? raw.slice() : undefined;
		const result = method.apply(raw, admitted);
		this.renewStandIn();
		if (this.#isChanged(mutator, length, before ?? admitted.slice(2), result)) {
			this.changed(attached);
		}
		if (result === raw) return this.proxy;
		if (mutator.changes !== "exchange") return this.wrapRemoved(result);
		return (result as unknown[]).map((member) => this.wrapRemoved(member));
	}

	#isChanged(
		mutator: ArrayMutator,
		length: number,
		compared: readonly unknown[],
		result: unknown,
	): boolean {
		switch (mutator.changes) {
			case "length":
				return this.raw.length !== length;
			case "content":
				return !isSameArray(compared, this.raw);
			case "exchange":
				return !isSameArray(compared, result as unknown[]);
		}
	}

	sort(method: NativeMethod, [compare]: readonly unknown[]): unknown {
		if (typeof compare !== "function") return this.mutate(method, [compare], REORDER);
		const compareProxies = (a: unknown, b: unknown): unknown =>
			compare(this.wrap(a, UNKNOWN_INDEX), this.wrap(b, UNKNOWN_INDEX));
		return this.mutate(method, [compareProxies], REORDER);
	}
}

const METHODS: ReadonlyMap<PropertyKey, NativeMethod> = arrayMethods();

function arrayMethods(): Map<PropertyKey, NativeMethod> {
	const methods = new Map<PropertyKey, NativeMethod>();
	const add = (
		name: string,
		run: (node: ArrayNode, native: NativeMethod, args: unknown[]) => unknown,
	): void => {
		const native = Reflect.get(Array.prototype, name) as NativeMethod;
		methods.set(
			name,
			standIn(native, ArrayNode, (node, args) => run(node, native, args)),
		);
	};
	for (const [name, mutator] of Object.entries(ARRAY_MUTATORS)) {
		add(name, (node, native, args) => node.mutate(native, args, mutator));
	}
	add("sort", (node, native, args) => node.sort(native, args));
	for (const [name, reader] of Object.entries(ARRAY_READERS)) add(name, reader);
	// One function under two names, as on Array.prototype.
	methods.set(Symbol.iterator, methods.get("values")!);
	return methods;
}
