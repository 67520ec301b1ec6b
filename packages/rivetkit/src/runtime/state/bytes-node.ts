import { arrayIndex } from "./array-index.ts";
import { LeafNode } from "./leaf-node.ts";
import type { NativeMethod } from "./native-methods.ts";
import { nodeOf, rawOf } from "./node-of.ts";
import type { StateTree } from "./state-tree.ts";
import type { Bytes } from "./value-kind.ts";

/**
 * A typed array or `Buffer`. Element writes and mutating methods are tracked; writes through
 * `bytes.buffer` are not. Native functions that insist on a real typed array (`TextDecoder`,
 * `crypto`) need a copy: `new Uint8Array(c.state.bytes)`; `slice` of a `Buffer` is none.
 */
export class BytesNode extends LeafNode<Bytes> {
	/** The node whose memory this view shows; undefined when the array itself is in the tree. */
	readonly #viewOf: BytesNode | undefined;

	constructor(tree: StateTree, raw: Bytes, viewOf?: BytesNode) {
		super(tree, raw);
		this.#viewOf = viewOf;
	}

	override isAttached(): boolean {
		return this.#viewOf === undefined ? super.isAttached() : this.#viewOf.isAttached();
	}

	get(_target: Bytes, key: PropertyKey): unknown {
		const index = arrayIndex(key);
		if (index >= 0) return this.raw[index];
		const value: unknown = Reflect.get(this.raw, key);
		if (typeof value === "function" && key !== "constructor") {
			return methodFor(value as NativeMethod);
		}
		return value ?? this.identify(key);
	}

	set(_target: Bytes, key: PropertyKey, value: unknown, receiver: unknown): boolean {
		if (receiver !== this.proxy) return Reflect.set(this.raw, key, value, receiver);
		const attached = this.beginWrite();
		const index = arrayIndex(key);
		const raw = this.raw as unknown as Record<PropertyKey, unknown>;
		const element = index >= 0 ? index : key;
		const before = raw[element];
		raw[element] = value;
		if (!Object.is(before, raw[element])) this.changed(attached);
		return true;
	}

	defineProperty(_target: Bytes, key: PropertyKey, property: PropertyDescriptor): boolean {
		const attached = this.beginWrite();
		const before: unknown = Reflect.get(this.raw, key);
		if (!Reflect.defineProperty(this.raw, key, property)) return false;
		if (!Object.is(before, Reflect.get(this.raw, key))) this.changed(attached);
		return true;
	}

	run(method: NativeMethod, args: unknown[]): unknown {
		if (!MUTATOR_NAME.test(method.name)) return this.expose(this.call(method, args));
		const attached = this.beginWrite();
		const before = bytesOf(this.raw).slice();
		const result = this.call(method, args);
		if (!isSame(before, bytesOf(this.raw))) this.changed(attached);
		return this.expose(result);
	}

	private call(method: NativeMethod, args: unknown[]): unknown {
		// Buffer's copy writes to its argument, so it must not get past the proxy: it refuses proxies.
		if (method.name === "copy") return Reflect.apply(method, this.raw, args);
		return Reflect.apply(
			method,
			this.raw,
			args.map((argument) =>
				typeof argument === "function" ? this.callback(argument) : rawOf(argument),
			),
		);
	}

	/** A callback that gets the proxy where the native method hands out the array. */
	private callback(visit: unknown): NativeMethod {
		const { raw, proxy } = this;
		return function (this: unknown, ...args: unknown[]): unknown {
			const seen = args.map((argument) => (argument === raw ? proxy : argument));
			return Reflect.apply(visit as NativeMethod, this, seen);
		};
	}

	/** Itself and views of its memory come out tracked. */
	private expose(result: unknown): unknown {
		if (result === this.raw) return this.proxy;
		if (!ArrayBuffer.isView(result) || result.buffer !== this.raw.buffer) return result;
		return new BytesNode(this.tree, result as Bytes, this.#viewOf ?? this).proxy;
	}
}

/** `set…`, `fill`, `copyWithin`, `sort`, `reverse`, and of `Buffer`: `write…`, `swap…`, `utf8Write`. */
const MUTATOR_NAME = /^(set|fill|copyWithin|sort|reverse|write|swap)|Write$/;

const methods = new WeakMap<NativeMethod, NativeMethod>();

function methodFor(native: NativeMethod): NativeMethod {
	let method = methods.get(native);
	if (method === undefined) {
		method = function (this: unknown, ...args: unknown[]): unknown {
			const node = nodeOf(this);
			return node instanceof BytesNode ? node.run(native, args) : Reflect.apply(native, this, args);
		};
		methods.set(native, method);
	}
	return method;
}

function bytesOf(view: Bytes): Uint8Array {
	return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function isSame(before: Uint8Array, after: Uint8Array): boolean {
	return before.length === after.length && before.every((byte, index) => byte === after[index]);
}
