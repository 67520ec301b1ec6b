import { LeafNode } from "./leaf-node.ts";
import { SYMBOL_KEY } from "./object-node.ts";

/** An `Error`. Its name and message are stored; writing any property counts as a change. */
export class ErrorNode extends LeafNode<Error> {
	get(_target: Error, key: PropertyKey): unknown {
		if (key === Symbol.toStringTag) return "Error";
		return this.identify(key) ?? Reflect.get(this.raw, key);
	}

	set(_target: Error, key: PropertyKey, value: unknown, receiver: unknown): boolean {
		if (receiver !== this.proxy) return Reflect.set(this.raw, key, value, receiver);
		const attached = this.beginWrite();
		if (attached && typeof key === "symbol") throw this.refusal(key, SYMBOL_KEY);
		const next = this.admit(value, key, attached);
		if (Object.is(Reflect.get(this.raw, key), next) && Object.hasOwn(this.raw, key)) return true;
		if (!Reflect.set(this.raw, key, next)) return false;
		this.changed(attached);
		return true;
	}

	deleteProperty(_target: Error, key: PropertyKey): boolean {
		if (!Object.hasOwn(this.raw, key)) return true;
		const attached = this.beginWrite();
		if (!Reflect.deleteProperty(this.raw, key)) return false;
		this.changed(attached);
		return true;
	}
}
