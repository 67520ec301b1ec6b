import { standIns } from "./native-methods.ts";
import { rawOf } from "./node-of.ts";
import { type Segment, TrackedNode } from "./tracked-node.ts";

type RawSet = Set<unknown>;

/** A `Set`. Members that are objects come out as proxies, and are found by them. */
export class SetNode extends TrackedNode<RawSet> {
	get(_target: RawSet, key: PropertyKey, receiver: unknown): unknown {
		if (key === "size") return this.raw.size;
		return METHODS.get(key) ?? this.identify(key) ?? Reflect.get(this.raw, key, receiver);
	}

	holds(child: TrackedNode): boolean {
		return this.raw.has(child.raw);
	}

	/** `at` is the member, or the index a new one will have. */
	segment(at: unknown): Segment {
		const index = typeof at === "number" ? at : [...this.raw].indexOf(at);
		return `.set[${index}]`;
	}

	add(member: unknown): void {
		const attached = this.beginWrite();
		if (this.raw.has(rawOf(member))) return;
		this.raw.add(this.admit(member, this.raw.size, attached));
		this.changed(attached);
	}

	remove(member: unknown): boolean {
		const attached = this.beginWrite();
		const removed = this.raw.delete(rawOf(member));
		if (removed) this.changed(attached);
		return removed;
	}

	clear(): void {
		const attached = this.beginWrite();
		if (this.raw.size === 0) return;
		this.raw.clear();
		this.changed(attached);
	}

	/** A member as users see it. */
	member(member: unknown): unknown {
		return this.wrap(member, member);
	}

	/** Runs a method unknown to this version; it may have changed anything, so it counts as a change. */
	runUnknown(method: (...args: unknown[]) => unknown, args: unknown[]): unknown {
		const attached = this.beginWrite();
		const result = Reflect.apply(method, this.raw, args);
		this.changed(attached);
		return result;
	}
}

function* values(node: SetNode): SetIterator<unknown> {
	for (const member of node.raw) yield node.member(member);
}

function* entries(node: SetNode): SetIterator<[unknown, unknown]> {
	for (const member of values(node)) yield [member, member];
}

/** `union` and its like read; they run on a plain set of what users see. */
const algebra = Object.fromEntries(
	[
		"union",
		"intersection",
		"difference",
		"symmetricDifference",
		"isSubsetOf",
		"isSupersetOf",
		"isDisjointFrom",
	].map((name) => [
		name,
		(node: SetNode, args: unknown[]): unknown => {
			const seen = new Set(values(node));
			return Reflect.apply(Reflect.get(seen, name) as () => unknown, seen, args);
		},
	]),
);

const METHODS = standIns(
	Set.prototype,
	SetNode,
	{
		...algebra,
		has: (node, [member]) => node.raw.has(rawOf(member)),
		add: (node, [member]) => {
			node.add(member);
			return node.proxy;
		},
		delete: (node, [member]) => node.remove(member),
		clear: (node) => node.clear(),
		forEach: (node, [visit, thisArg]) => {
			for (const member of values(node)) {
				Reflect.apply(visit as () => void, thisArg, [member, member, node.proxy]);
			}
		},
		entries,
		values,
	},
	(node, method, args) => node.runUnknown(method, args),
);
