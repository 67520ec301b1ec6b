import { invalidType } from "./invalid-type.ts";
import { rawOf } from "./node-of.ts";
import type { StateTree } from "./state-tree.ts";
import { type Segment, TrackedNode } from "./tracked-node.ts";

/**
 * A plain object.
 *
 * A proxy must answer with exactly what a read-only, non-configurable property of its target holds.
 * Two rules keep that compatible with tracking what is inside: objects that arrive frozen (or sealed)
 * get a copy as the proxy's target, and what becomes read-only through the proxy
 * (`Object.freeze(c.state.x)`) holds the children's proxies from then on.
 */
export class ObjectNode<T extends object = object> extends TrackedNode<T> {
	/** The stand-in target of an object that was not extensible when it was first read. */
	readonly #standIn: T | undefined;

	constructor(tree: StateTree, raw: T) {
		const standIn = Object.isExtensible(raw) ? undefined : shallowCopy(raw);
		super(tree, raw, standIn);
		this.#standIn = standIn;
	}

	get(_target: T, key: PropertyKey, _receiver: unknown): unknown {
		const value: unknown = (this.raw as Record<PropertyKey, unknown>)[key];
		if (typeof value !== "object" || value === null) {
			return value === undefined ? this.identify(key) : value;
		}
		return this.readObject(key, value);
	}

	/** An own property's object as its proxy; inherited objects are no part of the tree. */
	protected readObject(key: PropertyKey, value: object): unknown {
		if (Object.hasOwn(this.raw, key)) return this.tree.wrap(value, this, key);
		// Never hand out a prototype by this name: `c.state.players[name].x = 1` must not change it.
		return key === "__proto__" ? undefined : value;
	}

	set(_target: T, key: PropertyKey, value: unknown, receiver: unknown): boolean {
		if (receiver !== this.proxy) return Reflect.set(this.raw, key, value, receiver);
		this.write(key, value);
		return true;
	}

	/** Assigns an own property; throws like an assignment in strict mode. */
	protected write(key: PropertyKey, value: unknown): void {
		const attached = this.beginWrite();
		if (attached && typeof key === "symbol") throw invalidType(this.path() + this.segment(key));
		const next = this.admit(value, key, attached);
		const raw = this.raw as Record<PropertyKey, unknown>;
		if (Object.is(raw[key], next) && Object.hasOwn(raw, key)) return;
		if (key === "__proto__" && !Object.hasOwn(raw, key)) {
			defineData(raw, key, next);
		} else {
			raw[key] = next;
		}
		this.renewStandIn();
		this.changed(attached);
	}

	deleteProperty(_target: T, key: PropertyKey): boolean {
		if (!Object.hasOwn(this.raw, key)) return true;
		const attached = this.beginWrite();
		if (!Reflect.deleteProperty(this.raw, key)) return false;
		this.renewStandIn();
		if (typeof key !== "symbol") this.changed(attached);
		return true;
	}

	defineProperty(target: T, key: PropertyKey, property: PropertyDescriptor): boolean {
		const attached = this.beginWrite();
		const isAccessor = property.get !== undefined || property.set !== undefined;
		if (attached && (isAccessor || typeof key === "symbol")) {
			throw invalidType(this.path() + this.segment(key));
		}
		const next: PropertyDescriptor = { ...property };
		if (Object.hasOwn(property, "value")) next.value = this.admit(property.value, key, attached);
		const before = Object.getOwnPropertyDescriptor(this.raw, key);
		if (target !== this.raw && !Reflect.defineProperty(this.raw, key, next)) return false;
		if (!isAccessor && !(property.configurable ?? before?.configurable ?? false)) {
			next.value = this.wrap(Object.hasOwn(next, "value") ? next.value : before?.value, key);
		}
		if (!Reflect.defineProperty(target, key, next)) return false;
		if (!isSameStored(before, Object.getOwnPropertyDescriptor(this.raw, key))) {
			this.changed(attached);
		}
		return true;
	}

	getOwnPropertyDescriptor(target: T, key: PropertyKey): PropertyDescriptor | undefined {
		const property = Object.getOwnPropertyDescriptor(target, key);
		if (typeof property?.value === "object") property.value = this.wrap(property.value, key);
		return property;
	}

	preventExtensions(target: T): boolean {
		for (const key of Reflect.ownKeys(target)) {
			const held: unknown = Object.getOwnPropertyDescriptor(target, key)?.value;
			if (typeof held === "object") {
				Reflect.defineProperty(target, key, { value: this.wrap(held, key) });
			}
		}
		return Reflect.preventExtensions(target);
	}

	holds(child: TrackedNode): boolean {
		const held = (this.raw as Record<PropertyKey, unknown>)[child.at as PropertyKey];
		return held === child.raw || held === child.proxy;
	}

	segment(at: unknown): Segment {
		return typeof at === "symbol" ? `[${String(at)}]` : `.${String(at)}`;
	}

	/** After a write: shows it in the stand-in, which what prints a proxy looks at. */
	protected renewStandIn(): void {
		if (this.#standIn !== undefined) copyProperties(this.raw, this.#standIn);
	}
}

/** Defined, not assigned, so that no setter of a prototype runs. */
function defineData(object: object, key: PropertyKey, value: unknown): void {
	Object.defineProperty(object, key, {
		value,
		writable: true,
		enumerable: true,
		configurable: true,
	});
}

function shallowCopy<T extends object>(raw: T): T {
	const copy = (
		Array.isArray(raw) ? [] : Object.create(Object.getPrototypeOf(raw) as object | null)
	) as T;
	copyProperties(raw, copy);
	return copy;
}

/** Makes `to` show the properties of `from`, all of them configurable. */
function copyProperties(from: object, to: object): void {
	for (const key of Reflect.ownKeys(to)) {
		if (!Object.hasOwn(from, key)) Reflect.deleteProperty(to, key);
	}
	for (const key of Reflect.ownKeys(from)) {
		if (Array.isArray(from) && key === "length") {
			(to as unknown[]).length = from.length;
		} else {
			const property = Object.getOwnPropertyDescriptor(from, key)!;
			Reflect.defineProperty(to, key, { ...property, configurable: true });
		}
	}
}

/** Whether the codec would store the same of a property: its value, or nothing. */
function isSameStored(
	before: PropertyDescriptor | undefined,
	after: PropertyDescriptor | undefined,
): boolean {
	if (before?.enumerable !== true || after?.enumerable !== true) {
		return before?.enumerable === after?.enumerable || !(before?.enumerable || after?.enumerable);
	}
	return Object.is(rawOf(before.value), rawOf(after.value));
}
