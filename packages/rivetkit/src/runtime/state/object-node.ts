import { ACCESSOR, FROZEN } from "./inspect-value.ts";
import { rawOf } from "./node-of.ts";
import type { StateTree } from "./state-tree.ts";
import { type Segment, TrackedNode } from "./tracked-node.ts";

/** Why a property under a symbol is refused. */
export const SYMBOL_KEY = "properties under symbols cannot be stored";

const READ_ONLY =
	"an object cannot be put into state as a read-only, non-configurable property; assign it, then make it read-only";

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
			return value === undefined ? this.answer(key) : value;
		}
		return this.readObject(key, value);
	}

	/** An own property's object as its proxy; inherited objects are no part of the tree. */
	protected readObject(key: PropertyKey, value: object): unknown {
		const known = this.tree.knownProxy(value, this, key);
		if (known !== undefined) return known;
		if (Object.hasOwn(this.raw, key)) return this.tree.wrap(value, this, key);
		// Never hand out a prototype by this name: `c.state.players[name].x = 1` must not change it.
		return key === "__proto__" ? undefined : value;
	}

	/** What a property answers that is not there. */
	protected answer(key: PropertyKey): unknown {
		// JSON.stringify reads the raw object: through the proxy it would take twenty times as long.
		return key === "toJSON" ? toJson : this.identify(key);
	}

	set(_target: T, key: PropertyKey, value: unknown, receiver: unknown): boolean {
		if (receiver !== this.proxy) return Reflect.set(this.raw, key, value, receiver);
		this.write(key, value);
		return true;
	}

	/** Why nothing may be stored under a key, whatever it is; undefined when it may. */
	protected reasonAgainst(key: PropertyKey, _value: unknown): string | undefined {
		return typeof key === "symbol" ? SYMBOL_KEY : undefined;
	}

	/** Assigns an own property; throws like an assignment in strict mode. */
	protected write(key: PropertyKey, value: unknown): void {
		const attached = this.beginWrite();
		const reason = attached ? this.reasonAgainst(key, value) : undefined;
		if (reason !== undefined) throw this.refusal(key, reason);
		const next = this.admit(value, key, attached);
		const raw = this.raw as Record<PropertyKey, unknown>;
		if (Object.is(raw[key], next) && Object.hasOwn(raw, key)) return;
		if (key === "__proto__" && !Object.hasOwn(raw, key)) {
			defineData(raw, key, next);
		} else {
			raw[key] = next;
		}
		this.renewStandIn();
		this.changed(attached, key);
	}

	deleteProperty(_target: T, key: PropertyKey): boolean {
		if (!Object.hasOwn(this.raw, key)) return true;
		const attached = this.beginWrite();
		if (!Reflect.deleteProperty(this.raw, key)) return false;
		this.renewStandIn();
		if (typeof key !== "symbol") this.changed(attached, key);
		return true;
	}

	defineProperty(target: T, key: PropertyKey, property: PropertyDescriptor): boolean {
		const attached = this.beginWrite();
		const isAccessor = property.get !== undefined || property.set !== undefined;
		if (attached) {
			const reason = isAccessor ? ACCESSOR : this.reasonAgainst(key, property.value);
			if (reason !== undefined) throw this.refusal(key, reason);
		}
		const before = Object.getOwnPropertyDescriptor(this.raw, key);
		const next: PropertyDescriptor = { ...property };
		if (Object.hasOwn(property, "value")) next.value = this.admit(property.value, key, attached);
		if (before === undefined) next.configurable ??= true;
		if (target !== this.raw && !Reflect.defineProperty(this.raw, key, next)) return false;
		const isPinned = property.configurable === false && !isAccessor;
		if (isPinned) next.value = this.#pinned(key, next, before);
		if (!Reflect.defineProperty(target, key, next)) return false;
		if (!isSameStored(before, Object.getOwnPropertyDescriptor(this.raw, key))) {
			this.changed(attached, key);
		}
		return true;
	}

	/** What a property holds that is made non-configurable: a proxy in place of an object. */
	#pinned(key: PropertyKey, next: PropertyDescriptor, before?: PropertyDescriptor): unknown {
		const hasValue = Object.hasOwn(next, "value");
		const value: unknown = hasValue ? next.value : before?.value;
		if (typeof value !== "object" || value === null) return value;
		if (hasValue && !(next.writable ?? before?.writable ?? false)) throw new TypeError(READ_ONLY);
		if (ArrayBuffer.isView(value)) throw new TypeError(FROZEN);
		return this.wrap(value, key);
	}

	getOwnPropertyDescriptor(target: T, key: PropertyKey): PropertyDescriptor | undefined {
		const property = Object.getOwnPropertyDescriptor(target, key);
		if (typeof property?.value === "object") property.value = this.wrap(property.value, key);
		return property;
	}

	preventExtensions(target: T): boolean {
		const held = Object.entries(Object.getOwnPropertyDescriptors(target)).filter(
			([, property]) => typeof property.value === "object",
		);
		if (held.some(([, { value }]) => ArrayBuffer.isView(value))) throw new TypeError(FROZEN);
		for (const [key, property] of held) {
			Reflect.defineProperty(target, key, { value: this.#pinned(key, {}, property) });
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

function toJson(this: unknown): unknown {
	return rawOf(this);
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
