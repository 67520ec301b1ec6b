import { nodeOf } from "./node-of.ts";
import type { TrackedNode } from "./tracked-node.ts";

export type NativeMethod = (this: unknown, ...args: unknown[]) => unknown;

type NodeClass<N extends TrackedNode> = abstract new (...args: never) => N;

/**
 * A stand-in for a built-in method. Called on a proxy of the given kind it runs `run`; on anything
 * else (`c.state.map.get.call(other)`) it is the built-in.
 */
export function standIn<N extends TrackedNode>(
	native: NativeMethod,
	kind: NodeClass<N>,
	run: (node: N, args: unknown[]) => unknown,
): NativeMethod {
	return function (this: unknown, ...args: unknown[]): unknown {
		const node = nodeOf(this);
		return node instanceof kind ? run(node, args) : Reflect.apply(native, this, args);
	};
}

/**
 * Stand-ins for all methods of a built-in prototype, by name. Methods without an entry in `runs` come
 * from a newer language version than this code: they get `fallback`.
 */
export function standIns<N extends TrackedNode>(
	prototype: object,
	kind: NodeClass<N>,
	runs: Readonly<Record<string, (node: N, args: unknown[]) => unknown>>,
	fallback: (node: N, native: NativeMethod, args: unknown[]) => unknown,
): ReadonlyMap<PropertyKey, NativeMethod> {
	const methods = new Map<PropertyKey, NativeMethod>();
	const byFunction = new Map<NativeMethod, NativeMethod>();
	for (const key of Reflect.ownKeys(prototype)) {
		const native: unknown = Object.getOwnPropertyDescriptor(prototype, key)?.value;
		if (typeof native !== "function" || key === "constructor") continue;
		const method = native as NativeMethod;
		const run = typeof key === "string" && Object.hasOwn(runs, key) ? runs[key] : undefined;
		// Aliases such as `Map.prototype[Symbol.iterator]` are the same function and stay so.
		const made =
			byFunction.get(method) ??
			standIn(method, kind, run ?? ((node, args) => fallback(node, method, args)));
		byFunction.set(method, made);
		methods.set(key, made);
	}
	return methods;
}
