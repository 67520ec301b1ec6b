import { INVALID_DATE } from "./inspect-value.ts";
import { invalidType } from "./invalid-type.ts";
import { LeafNode } from "./leaf-node.ts";
import { type NativeMethod, standIns } from "./native-methods.ts";

/** A `Date`. Setters are tracked; one that would make the date invalid is refused. */
export class DateNode extends LeafNode<Date> {
	get(_target: Date, key: PropertyKey, receiver: unknown): unknown {
		if (key === Symbol.toStringTag) return "Date";
		return METHODS.get(key) ?? this.identify(key) ?? Reflect.get(this.raw, key, receiver);
	}

	change(setter: NativeMethod, args: unknown[]): unknown {
		const attached = this.beginWrite();
		const before = this.raw.getTime();
		const changed = new Date(before);
		const result = Reflect.apply(setter, changed, args);
		const after = changed.getTime();
		if (attached && Number.isNaN(after)) throw invalidType(this.path(), INVALID_DATE);
		this.raw.setTime(after);
		if (!Object.is(before, after)) this.changed(attached);
		return result;
	}

	/**
	 * `new Date(c.state.date)` asks for the default form, which for a date is text without milliseconds.
	 * The ISO text loses nothing.
	 */
	toPrimitive(native: NativeMethod, [hint]: unknown[]): unknown {
		if (hint === "default" && !Number.isNaN(this.raw.getTime())) return this.raw.toISOString();
		return Reflect.apply(native, this.raw, [hint]);
	}
}

const METHODS = standIns(Date.prototype, DateNode, {}, (node, method, args) => {
	if (method === toPrimitive) return node.toPrimitive(method, args);
	return method.name.startsWith("set")
		? node.change(method, args)
		: Reflect.apply(method, node.raw, args);
});

const toPrimitive: unknown = Date.prototype[Symbol.toPrimitive];
