import { ObjectNode } from "./object-node.ts";

/**
 * An object of a user class. Its methods and accessors run with the proxy as `this`, so what they
 * change is noticed; those that use `#private` members throw a `TypeError`, as on any proxy.
 */
export class InstanceNode extends ObjectNode {
	override get(_target: object, key: PropertyKey, receiver: unknown): unknown {
		const value: unknown = Reflect.get(this.raw, key, receiver);
		if (typeof value !== "object" || value === null) {
			return value === undefined ? this.answer(key) : value;
		}
		return this.readObject(key, value);
	}

	override set(target: object, key: PropertyKey, value: unknown, receiver: unknown): boolean {
		if (receiver === this.proxy && hasSetter(this.raw, key)) {
			return Reflect.set(this.raw, key, value, receiver);
		}
		return super.set(target, key, value, receiver);
	}
}

/** Whether a prototype turns the assignment into a call (`__proto__` does not: it stays data). */
function hasSetter(raw: object, key: PropertyKey): boolean {
	if (key === "__proto__") return false;
	for (let owner: object | null = raw; owner !== null; owner = Object.getPrototypeOf(owner)) {
		const property = Object.getOwnPropertyDescriptor(owner, key);
		if (property !== undefined) return property.get !== undefined || property.set !== undefined;
	}
	return false;
}
