import { bytesOf, kindOf } from "./kinds.ts";
import { printScalar, printValue } from "./print.ts";
import { childCount, childrenOf } from "./tree.ts";

/** Whether two values are the same to their last part. */
export function isSameValue(a: unknown, b: unknown): boolean {
	if (Object.is(a, b)) return true;
	const kind = kindOf(a);
	if (kind !== kindOf(b)) return false;
	if (kind === "bytes") return isSameBytes(bytesOf(a), bytesOf(b));
	if (kind === "typed array") return printValue(a) === printValue(b);
	if (printScalar(a) !== null) return printScalar(a) === printScalar(b);
	if (childCount(a) !== childCount(b)) return false;
	const others = childrenOf(b);
	return childrenOf(a).every(({ label, value }, at) => {
		const other = others[at]!;
		return isSameValue(label, other.label) && isSameValue(value, other.value);
	});
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at]);
}
