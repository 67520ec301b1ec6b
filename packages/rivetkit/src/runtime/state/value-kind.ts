/**
 * What a value is to state, by what the codec does with it:
 *
 * - `object`: a plain object (prototype `Object.prototype` or null); own enumerable string keys are stored.
 * - `instance`: an object of a user class; stored like a plain object, and plain after a restart.
 * - `array`, `map`, `set`, `date`, `regexp`, `error`, `bytes` (typed arrays, Node's `Buffer` included).
 *   Their subclasses count as the built-in, which is what they are after a restart.
 * - `unstorable`: everything else, above all what keeps its content in internal slots, where no
 *   codec can reach it: promises, weak collections, iterators, boxed primitives, `URL`, `Request`.
 *   `ArrayBuffer` and `DataView` too: they would come back as `Uint8Array` after a restart, so code
 *   that works before it would fail after it. And built-ins of another realm (`node:vm`), which the
 *   codec would not recognise.
 */
export type ValueKind =
	| "object"
	| "array"
	| "instance"
	| "map"
	| "set"
	| "date"
	| "regexp"
	| "error"
	| "bytes"
	| "unstorable";

/** Any typed array that the codec can store. */
export type Bytes =
	| Uint8Array
	| Uint8ClampedArray
	| Uint16Array
	| Uint32Array
	| BigUint64Array
	| Int8Array
	| Int16Array
	| Int32Array
	| BigInt64Array
	| Float32Array
	| Float64Array;

const STORED_TYPED_ARRAYS: ReadonlySet<unknown> = new Set([
	"Uint8Array",
	"Uint8ClampedArray",
	"Uint16Array",
	"Uint32Array",
	"BigUint64Array",
	"Int8Array",
	"Int16Array",
	"Int32Array",
	"BigInt64Array",
	"Float32Array",
	"Float64Array",
]);

// These read internal slots, which look-alikes do not have.
const typedArrayPrototype: object = Object.getPrototypeOf(Uint8Array.prototype);
const typedArrayName = getterOf(typedArrayPrototype, Symbol.toStringTag);
const mapSize = getterOf(Map.prototype, "size");
const setSize = getterOf(Set.prototype, "size");
const dateTime = Date.prototype.getTime as (this: unknown) => number;
const regexpSource = getterOf(RegExp.prototype, "source");

function getterOf(prototype: object, key: PropertyKey): (this: unknown) => unknown {
	return Object.getOwnPropertyDescriptor(prototype, key)!.get!;
}

/** Classifies an object; see {@link ValueKind}. */
export function valueKind(value: object): ValueKind {
	if (Array.isArray(value)) return "array";
	const prototype: unknown = Object.getPrototypeOf(value);
	if (prototype === Object.prototype || prototype === null) return "object";
	if (typeof value === "function") return "unstorable";
	if (ArrayBuffer.isView(value)) {
		return STORED_TYPED_ARRAYS.has(typedArrayName.call(value)) ? "bytes" : "unstorable";
	}
	if (value instanceof Map) return hasSlot(value, mapSize) ? "map" : "unstorable";
	if (value instanceof Set) return hasSlot(value, setSize) ? "set" : "unstorable";
	if (value instanceof Date) return hasSlot(value, dateTime) ? "date" : "unstorable";
	if (value instanceof RegExp) return hasSlot(value, regexpSource) ? "regexp" : "unstorable";
	if (value instanceof Error) return "error";
	return tagOf(value) === "Object" || isTaggedByUser(value) ? "instance" : "unstorable";
}

function tagOf(value: object): string {
	return Object.prototype.toString.call(value).slice(8, -1);
}

/** Tells real instances from objects that only have the prototype. */
function hasSlot(value: object, readSlot: (this: unknown) => unknown): boolean {
	try {
		readSlot.call(value);
		return true;
	} catch {
		return false;
	}
}

/**
 * Platform objects announce themselves by a `Symbol.toStringTag`; user classes may have one as well.
 * The tag is a user's when the prototype that carries it belongs to a class that is neither native
 * nor one of the platform's globals (some of which, like Node's `URL`, are not native).
 */
function isTaggedByUser(value: object): boolean {
	let owner: object | null = Object.getPrototypeOf(value);
	if (Object.hasOwn(value, Symbol.toStringTag)) return true;
	while (owner !== null && !Object.hasOwn(owner, Symbol.toStringTag)) {
		owner = Object.getPrototypeOf(owner);
	}
	if (owner === null || !Object.hasOwn(owner, "constructor")) return false;
	const tagger: unknown = owner.constructor;
	if (typeof tagger !== "function") return false;
	if (Reflect.get(globalThis, tagger.name) === tagger) return false;
	return !Function.prototype.toString.call(tagger).includes("[native code]");
}
