/** What became of one place in a value. */
export interface Change {
	/** `a.b[0]`; empty for the whole. */
	readonly path: string;
	/** Absent when it is gone. */
	readonly value?: unknown;
}

/** The places in which two values of plain JSON differ, as deep as they can be told apart. */
export function changesBetween(before: unknown, after: unknown, path = ""): Change[] {
	if (Object.is(before, after)) return [];
	const isList = Array.isArray(after);
	if (isList && isTagged(after)) {
		return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, value: after }];
	}
	if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== isList) {
		return [{ path, value: after }];
	}
	const names = new Set([...Object.keys(before), ...Object.keys(after)]);
	return [...names].flatMap((name) => {
		const inner = isList ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
		if (!Object.hasOwn(after, name)) return [{ path: inner }];
		if (!Object.hasOwn(before, name)) return [{ path: inner, value: after[name] }];
		return changesBetween(before[name], after[name], inner);
	});
}

/** A value that JSON has no form for is one value (see exact-json.ts). */
function isTagged(list: readonly unknown[]): boolean {
	return list.length === 2 && typeof list[0] === "string" && list[0].startsWith("$");
}

function isContainer(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}
