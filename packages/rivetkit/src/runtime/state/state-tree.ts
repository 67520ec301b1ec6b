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
		const inspection = inspectValue(next, { tree: this });
		if (inspection.fault !== undefined) {
			const { path, reason } = inspection.fault;
			throw invalidType(this.options.rootPath + path, reason);
		}
		const raw = inspection.adopt();
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
			this.register(oldRoot);
			this.#rootNode = undefined;
		}
		this.raw = raw;
		this.insertions++;
	}

	/** The proxy of an object that was just read at `at` of `parent`, if it has been read before. */
	knownProxy(raw: object, parent: TrackedNode | undefined, at: unknown): object | undefined {
		const node = this.#nodes?.get(raw);
		if (node === undefined) return undefined;
		node.parent = parent;
		node.at = at;
		return node.proxy;
	}

	/** The proxy of an object that was just read at `at` of `parent`. */
	wrap(raw: object, parent: TrackedNode | undefined, at: unknown): object {
		return this.knownProxy(raw, parent, at) ?? this.#wrapNew(raw, parent, at);
	}

	#wrapNew(raw: object, parent: TrackedNode | undefined, at: unknown): object {
		// A read-only property holds the proxy itself; see ObjectNode.
		if (nodeOf(raw) !== undefined) return raw;
		if (raw === this.#rootNode?.raw) return this.#rootNode.proxy;
		const node = createNode(this, raw);
		if (node === undefined) return raw;
		node.parent = parent;
		node.at = at;
		this.register(node);
		return node.proxy;
	}

	/**
	 * The proxy of an object that was just taken out. A new one is registered only when it is put in
	 * again ({@link register}): most never are, and weak map entries cost the garbage collector most.
	 */
	wrapRemoved(raw: object): object {
		const known = this.knownProxy(raw, undefined, undefined);
		return known ?? createNode(this, raw)?.proxy ?? raw;
	}

	/** Makes `node` the one node of its object, unless there is one. */
	register(node: TrackedNode): void {
		this.#nodes ??= new WeakMap();
		if (!this.#nodes.has(node.raw)) this.#nodes.set(node.raw, node);
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
		if (place !== "unknown" && place.parent !== undefined) {
			node.parent = this.#nodeAt(place.parent);
			node.at = place.at;
		}
		return true;
	}

	/** The node of a place, with its hints right up to the root. */
	#nodeAt(place: Place): TrackedNode | undefined {
		if (place.parent === undefined) return nodeOf(this.value);
		return nodeOf(this.wrap(place.raw, this.#nodeAt(place.parent), place.at));
	}
}
