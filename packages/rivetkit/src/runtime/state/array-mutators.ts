/** What there is to know about a native array method that mutates. */
export interface ArrayMutator {
	/**
	 * The index at which the argument at `position` will sit; undefined for arguments that are not
	 * stored. `length` is the array's before the call.
	 */
	indexOfArgument(position: number, length: number, args: readonly unknown[]): number | undefined;
	/**
	 * How a change shows: by another length, by other content, or (splice) by removed members that
	 * differ from the inserted ones.
	 */
	readonly changes: "length" | "content" | "exchange";
}

const nothingStored = (): undefined => undefined;

export const REORDER: ArrayMutator = { indexOfArgument: nothingStored, changes: "content" };
const TAKE: ArrayMutator = { indexOfArgument: nothingStored, changes: "length" };

/** Every mutating method of arrays but `sort`, whose callback needs care. */
export const ARRAY_MUTATORS: Readonly<Record<string, ArrayMutator>> = {
	push: { indexOfArgument: (position, length) => length + position, changes: "length" },
	pop: TAKE,
	shift: TAKE,
	unshift: { indexOfArgument: (position) => position, changes: "length" },
	splice: {
		indexOfArgument: (position, length, args) =>
			position < 2 ? undefined : relativeIndex(args[0], length) + position - 2,
		changes: "exchange",
	},
	reverse: REORDER,
	fill: {
		indexOfArgument: (position, length, args) =>
			position === 0 ? relativeIndex(args[1], length) : undefined,
		changes: "content",
	},
	copyWithin: REORDER,
};

/** An index argument as the array methods read it: negative ones count from the end. */
export function relativeIndex(argument: unknown, length: number): number {
	const index = Math.trunc(Number(argument)) || 0;
	return index < 0 ? Math.max(0, length + index) : Math.min(index, length);
}

/** Same length, identical members, and holes in the same places. */
export function isSameArray(before: readonly unknown[], after: readonly unknown[]): boolean {
	if (before.length !== after.length) return false;
	for (let index = 0; index < before.length; index++) {
		const member = before[index];
		if (!Object.is(member, after[index])) return false;
		if (member === undefined && index in before !== index in after) return false;
	}
	return true;
}
