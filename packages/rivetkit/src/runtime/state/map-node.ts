import { keyLabel } from "./inspect-value.ts";
import { standIns } from "./native-methods.ts";
import { rawOf } from "./node-of.ts";
import { MapKey, type Segment, TrackedNode } from "./tracked-node.ts";

type RawMap = Map<unknown, unknown>;

/** A `Map`. Keys and values that are objects come out as proxies, and are found by them. */
export class MapNode extends TrackedNode<RawMap> {
	get(_target: RawMap, key: PropertyKey, receiver: unknown): unknown {
		if (key === "size") return this.raw.size;
		return METHODS.get(key) ?? this.identify(key) ?? Reflect.get(this.raw, key, receiver);
	}

	holds(child: TrackedNode): boolean {
		return child.at instanceof MapKey
			? this.raw.has(child.raw)
			: this.raw.get(child.at) === child.raw;
	}

	segment(at: unknown): Segment {
		return at instanceof MapKey ? `.key(${keyLabel(at.key)})` : `.value(${keyLabel(at)})`;
	}

	put(key: unknown, value: unknown): void {
		const attached = this.beginWrite();
		const isNew = !this.raw.has(rawOf(key));
		const keyInspection = isNew ? this.inspect(key, new MapKey(key), attached) : null;
		const inspection = this.inspect(value, rawOf(key), attached);
		const rawKey = this.adopt(key, keyInspection);
		const admitted = this.adopt(value, inspection);
		if (Object.is(this.raw.get(rawKey), admitted) && this.raw.has(rawKey)) return;
		this.raw.set(rawKey, admitted);
		this.changed(attached, rawKey);
	}

	remove(key: unknown): boolean {
		const attached = this.beginWrite();
		const removed = this.raw.delete(rawOf(key));
		if (removed) this.changed(attached, rawOf(key));
		return removed;
	}

	clear(): void {
		const attached = this.beginWrite();
		if (this.raw.size === 0) return;
		this.raw.clear();
		this.changed(attached);
	}

	/** A key as users see it. */
	key(key: unknown): unknown {
		if (typeof key !== "object" || key === null) return key;
		return this.wrap(key, new MapKey(key));
	}

	/** The value under `key` as users see it. */
	valueAt(key: unknown): unknown {
		const rawKey = rawOf(key);
		return this.wrap(this.raw.get(rawKey), rawKey);
	}

	/** Runs a method unknown to this version; it may have changed anything, so it counts as a change. */
	runUnknown(method: (...args: unknown[]) => unknown, args: unknown[]): unknown {
		const attached = this.beginWrite();
		const result = Reflect.apply(method, this.raw, args);
		this.changed(attached);
		return result;
	}
}

function* entries(node: MapNode): MapIterator<[unknown, unknown]> {
	for (const key of node.raw.keys()) yield [node.key(key), node.valueAt(key)];
}

function* keys(node: MapNode): MapIterator<unknown> {
	for (const key of node.raw.keys()) yield node.key(key);
}

function* values(node: MapNode): MapIterator<unknown> {
	for (const key of node.raw.keys()) yield node.valueAt(key);
}

const METHODS = standIns(
	Map.prototype,
	MapNode,
	{
		get: (node, [key]) => node.valueAt(key),
		has: (node, [key]) => node.raw.has(rawOf(key)),
		set: (node, [key, value]) => {
			node.put(key, value);
			return node.proxy;
		},
		delete: (node, [key]) => node.remove(key),
		clear: (node) => node.clear(),
		forEach: (node, [visit, thisArg]) => {
			for (const [key, value] of entries(node)) {
				Reflect.apply(visit as () => void, thisArg, [value, key, node.proxy]);
			}
		},
		entries,
		keys,
		values,
		getOrInsert: (node, [key, value]) => {
			if (!node.raw.has(rawOf(key))) node.put(key, value);
			return node.valueAt(key);
		},
		getOrInsertComputed: (node, [key, compute]) => {
			if (!node.raw.has(rawOf(key))) {
				node.put(key, Reflect.apply(compute as () => unknown, undefined, [key]));
			}
			return node.valueAt(key);
		},
	},
	(node, method, args) => node.runUnknown(method, args),
);
