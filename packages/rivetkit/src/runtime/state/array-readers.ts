import { relativeIndex } from "./array-mutators.ts";
import type { ArrayNode } from "./array-node.ts";
import type { NativeMethod } from "./native-methods.ts";
import { nodeOf } from "./node-of.ts";

/**
 * Reading methods that run on the raw array and hand out proxies, several times faster than the
 * native method on the proxy. Methods without an entry here (`concat`, `flat`, `toSorted`, …) run
 * natively on the proxy.
 */
export type ArrayReader = (node: ArrayNode, native: NativeMethod, args: unknown[]) => unknown;

type Visit = (...args: unknown[]) => unknown;

/** Methods whose callback gets each member and whose result holds none. */
const visitMembers: ArrayReader = (node, native, [visit, thisArg]) => {
	if (typeof visit !== "function") return native.call(node.raw, visit);
	return native.call(node.raw, (member: unknown, index: number) =>
		Reflect.apply(visit, thisArg, [node.member(member, index), index, node.proxy]),
	);
};

/** `find` and its like: the member for which the callback said yes. */
function findMember(searcher: "findIndex" | "findLastIndex"): ArrayReader {
	return (node, native, [visit, thisArg]) => {
		if (typeof visit !== "function") return native.call(node.raw, visit);
		let seen: unknown;
		const index = node.raw[searcher]((member, at) => {
			seen = node.member(member, at);
			return Reflect.apply(visit, thisArg, [seen, at, node.proxy]);
		});
		return index === -1 ? undefined : seen;
	};
}

const filter: ArrayReader = (node, native, [visit, thisArg]) => {
	if (typeof visit !== "function") return native.call(node.raw, visit);
	const kept: unknown[] = [];
	node.raw.forEach((member, index) => {
		const seen = node.member(member, index);
		if (Reflect.apply(visit, thisArg, [seen, index, node.proxy])) kept.push(seen);
	});
	return kept;
};

const reduce: ArrayReader = (node, native, args) => {
	// Without an initial value the first member is one, which the proxy hands out right.
	if (typeof args[0] !== "function" || args.length < 2) return native.apply(node.proxy, args);
	const visit = args[0] as Visit;
	const step = (sum: unknown, member: unknown, index: number): unknown =>
		visit(sum, node.member(member, index), index, node.proxy);
	return native.call(node.raw, step, args[1]);
};

const slice: ArrayReader = (node, native, args) => {
	const start = relativeIndex(args[0], node.raw.length);
	const part = native.apply(node.raw, args) as unknown[];
	// forEach and not a loop: holes stay holes.
	part.forEach((member, index) => {
		part[index] = node.member(member, start + index);
	});
	return part;
};

/** `indexOf` and its like find a member by its proxy as well as by its raw object. */
const search: ArrayReader = (node, native, args) => {
	const wanted = nodeOf(args[0]);
	if (wanted === undefined) return native.apply(node.raw, args);
	const found = native.call(node.raw, wanted.raw, ...args.slice(1));
	// Members of a frozen array may be proxies.
	return found === -1 || found === false ? native.apply(node.raw, args) : found;
};

function* values(node: ArrayNode): ArrayIterator<unknown> {
	for (let index = 0; index < node.raw.length; index++) yield node.member(node.raw[index], index);
}

function* entries(node: ArrayNode): ArrayIterator<[number, unknown]> {
	let index = 0;
	for (const member of values(node)) yield [index++, member];
}

export const ARRAY_READERS: Readonly<Record<string, ArrayReader>> = {
	forEach: visitMembers,
	map: visitMembers,
	some: visitMembers,
	every: visitMembers,
	findIndex: visitMembers,
	findLastIndex: visitMembers,
	flatMap: visitMembers,
	find: findMember("findIndex"),
	findLast: findMember("findLastIndex"),
	filter,
	reduce,
	reduceRight: reduce,
	slice,
	includes: search,
	indexOf: search,
	lastIndexOf: search,
	values,
	entries,
};
