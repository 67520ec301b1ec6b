import { type Inspection, inspectValue, reasonAgainstPrimitive } from "./inspect-value.ts";
import { invalidType } from "./invalid-type.ts";
import { NODE, rawOf } from "./node-of.ts";
import type { StateTree } from "./state-tree.ts";

/** Where a value sits in its parent, as text to append to the parent's path. */
export type Segment = string;

/** `at` of a map's key, as opposed to the value under that key. */
export class MapKey {
	readonly key: unknown;
	constructor(key: unknown) {
		this.key = key;
	}
}

/**
 * One object of a tree that somebody has looked at: the handler of its proxy, and a hint of where it
 * was reached. Nodes are made on first access and die with their raw object.
 *
 * - N1. `parent`/`at` are a hint. They are verified against the raw tree at each write, so removing,
 *   moving and replacing need no bookkeeping.
 * - N2. Only attached nodes validate and report; a detached part is plain data.
 */
export abstract class TrackedNode<T extends object = object> implements ProxyHandler<T> {
	readonly tree: StateTree;
	readonly raw: T;
	readonly proxy: T;
	parent: TrackedNode | undefined = undefined;
	at: unknown = undefined;
	/** `tree.insertions` when this node was last found to be outside the tree. */
	detachedAt = -1;

	constructor(tree: StateTree, raw: T, target: T = raw) {
		this.tree = tree;
		this.raw = raw;
		this.proxy = new Proxy(target, this);
	}

	/** Whether `child` is directly inside this node's object; may refresh the child's hint. */
	abstract holds(child: TrackedNode): boolean;

	/** The path segment of what sits at `at`, for example `.name`, `[3]` or `.value(k)`. */
	abstract segment(at: unknown): Segment;

	abstract get(target: T, key: PropertyKey, receiver: unknown): unknown;

	/** The answer to a property read that all kinds share. */
	protected identify(key: PropertyKey): TrackedNode | undefined {
		return key === NODE ? this : undefined;
	}

	/** Whether this node's object is part of the tree right now. */
	isAttached(): boolean {
		const root = this.tree.raw;
		let node: TrackedNode = this;
		while (node.raw !== root) {
			const parent: TrackedNode | undefined = node.parent;
			if (parent === undefined || !parent.holds(node)) return this.tree.relocate(this);
			node = parent;
		}
		return true;
	}

	/** Path from the root; exact after {@link isAttached} said yes. */
	path(): string {
		if (this.raw === this.tree.raw || this.parent === undefined) return this.tree.options.rootPath;
		return this.parent.path() + this.parent.segment(this.at);
	}

	/**
	 * Opens a write. False: the object is detached, so nothing is checked or reported. Throws what
	 * `beforeWrite` throws.
	 */
	protected beginWrite(): boolean {
		if (!this.isAttached()) return false;
		this.tree.options.beforeWrite?.();
		return true;
	}

	/**
	 * The form in which `value` may enter this node's object: raw, and without proxies inside. Throws
	 * `state.invalid_type` before anything is changed.
	 */
	protected admit(value: unknown, at: unknown, attached: boolean): unknown {
		return this.adopt(value, this.inspect(value, at, attached));
	}

	/**
	 * The check of {@link admit}, without touching the value: where several enter together, all are inspected
	 * before the first is adopted. Null when there is nothing to be looked for inside of it.
	 */
	protected inspect(value: unknown, at: unknown, attached: boolean): Inspection | null {
		if (!attached || value === null) return null;
		if (typeof value === "object") return this.#inspectObject(value, at);
		const reason = reasonAgainstPrimitive(value);
		if (reason !== undefined) throw this.refusal(at, reason);
		return null;
	}

	/** What {@link admit} does with what {@link inspect} let pass. */
	protected adopt(value: unknown, inspection: Inspection | null): unknown {
		if (inspection === null) return rawOf(value);
		this.tree.insertions++;
		return inspection.adopt();
	}

	#inspectObject(value: object, at: unknown): Inspection {
		const ancestors: object[] = [];
		for (let node: TrackedNode | undefined = this; node !== undefined; node = node.parent) {
			ancestors.push(node.raw);
			if (node.raw === this.tree.raw) break;
		}
		const inspection = inspectValue(value, { ancestors, tree: this.tree });
		if (inspection.fault !== undefined) {
			throw this.refusal(at, inspection.fault.reason, inspection.fault.path);
		}
		return inspection;
	}

	/** The error for what was to be put at `at`, or at `below` inside of that. */
	protected refusal(at: unknown, reason: string, below = ""): Error {
		return invalidType(this.path() + this.segment(at) + below, reason);
	}

	/** A child as users see it: proxies for what can be changed, everything else as it is. */
	protected wrap(value: unknown, at: unknown): unknown {
		if (typeof value !== "object" || value === null) return value;
		return this.tree.wrap(value, this, at);
	}

	/** What was just taken out of this node's object, as users see it. */
	protected wrapRemoved(value: unknown): unknown {
		if (typeof value !== "object" || value === null) return value;
		return this.tree.wrapRemoved(value);
	}

	/** Reports one change, after it is visible. */
	protected changed(attached: boolean, at?: unknown): void {
		if (attached) this.tree.options.onChange(this, at);
	}

	/** Of what is at `at`, or of the whole object. */
	pathTo(at: unknown): string {
		return at === undefined ? this.path() : this.path() + this.segment(at);
	}

	setPrototypeOf(_target: T, prototype: object | null): boolean {
		return Reflect.getPrototypeOf(this.raw) === prototype;
	}
}
