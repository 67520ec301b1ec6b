import { createNode } from "./create-node.ts";
import { findObject, type Place } from "./find-object.ts";
import { inspectValue } from "./inspect-value.ts";
import { invalidType } from "./invalid-type.ts";
import { nodeOf } from "./node-of.ts";
import type { TrackedState, TrackStateOptions } from "./track-state.ts";
import type { TrackedNode } from "./tracked-node.ts";

/** The tree behind a {@link TrackedState}: the raw root, and the nodes of what was looked at. */
export class StateTree implements TrackedState {
	raw: unknown;
	readonly options: TrackStateOptions;
	/** Counts what could attach a detached object: objects put in, roots replaced. */
	insertions = 0;
	#rootNode: TrackedNode | undefined = undefined;
	/** Nodes below the root by raw object; made when the first one is. */
	#nodes: WeakMap<object, TrackedNode> | undefined = undefined;

	constructor(raw: unknown, options: TrackStateOptions) {
		this.raw = raw;
		this.options = options;
	}

	get value(): unknown {
		const root = this.raw;
		if (typeof root !== "object" || root === null) return root;
		if (this.#rootNode?.raw === root) return this.#rootNode.proxy;
		const node = this.#nodes?.get(root) ?? createNode(this, root);
		this.#rootNode = node;
		return node === undefined ? root : node.proxy;
	}

	replace(next: unknown): void {
		this.options.beforeWrite?.();
		let raw = next;
		if (typeof next === "object" && next !== null) {
			const inspection = inspectValue(next, { tree: this });
			if (inspection.fault !== undefined) {
				throw invalidType(this.options.rootPath + inspection.fault);
			}
			raw = inspection.adopt();
		} else if (inspectPrimitive(next)) {
			throw invalidType(this.options.rootPath);
		}
		if (Object.is(raw, this.raw)) return;
		this.#adoptRoot(raw);
		this.options.onChange();
	}

	reset(raw: unknown): void {
		this.#adoptRoot(raw);
	}

	#adoptRoot(raw: unknown): void {
		const oldRoot = this.#rootNode;
		if (oldRoot !== undefined && oldRoot.raw !== raw) {
			// The old root may sit inside the new one; its proxy stays the same there.
			this.#nodes ??= new WeakMap();
			this.#nodes.set(oldRoot.raw, oldRoot);
			this.#rootNode = undefined;
		}
		this.raw = raw;
		this.insertions++;
	}

	/** The proxy of an object that was just read at `at` of `parent`. */
	wrap(raw: object, parent: TrackedNode | undefined, at: unknown): object {
		const known = this.#nodes?.get(raw);
		if (known !== undefined) {
			known.parent = parent;
			known.at = at;
			return known.proxy;
		}
		return this.#wrapNew(raw, parent, at);
	}

	#wrapNew(raw: object, parent: TrackedNode | undefined, at: unknown): object {
		// A read-only property holds the proxy itself; see ObjectNode.
		if (nodeOf(raw) !== undefined) return raw;
		if (raw === this.#rootNode?.raw) return this.#rootNode.proxy;
		const node = createNode(this, raw);
		if (node === undefined) return raw;
		node.parent = parent;
		node.at = at;
		this.#nodes ??= new WeakMap();
		this.#nodes.set(raw, node);
		return node.proxy;
	}

	/**
	 * Decides for a node whose hint turned out wrong whether its object is in the tree, by looking for
	 * it. The search is bounded; what it does not find in time counts as attached, since a change
	 * reported too much is written once too often while one reported too little is lost.
	 */
	relocate(node: TrackedNode): boolean {
		if (node.detachedAt === this.insertions) return false;
		const place = findObject(this.raw, node.raw);
		if (place === "absent") {
			node.detachedAt = this.insertions;
			return false;
		}
		if (place !== "unknown") this.#nodeAt(place);
		return true;
	}

	/** The node of a place, with its hints right up to the root. */
	#nodeAt(place: Place): TrackedNode | undefined {
		if (place.parent === undefined) return nodeOf(this.value);
		return nodeOf(this.wrap(place.raw, this.#nodeAt(place.parent), place.at));
	}
}

function inspectPrimitive(value: unknown): boolean {
	return (
		typeof value === "function" ||
		typeof value === "symbol" ||
		(typeof value === "number" && !Number.isFinite(value))
	);
}
