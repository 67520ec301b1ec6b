import { kindOf } from "./kinds.ts";

/** One step into a value. Entries of maps and sets are meant by their place. */
export type Step =
	| { readonly in: "object"; readonly key: string }
	| { readonly in: "list"; readonly index: number }
	| { readonly in: "map"; readonly index: number }
	| { readonly in: "set"; readonly index: number };

export type Path = readonly Step[];

export interface Child {
	readonly step: Step;
	/** What stands before the value: a name, an index, a key of a map. */
	readonly label: unknown;
	readonly value: unknown;
}

/** Whether a value is shown as a node with children. */
export function hasChildren(value: unknown): boolean {
	const kind = kindOf(value);
	return kind === "list" || kind === "map" || kind === "set" || kind === "object";
}

export function childrenOf(value: unknown): Child[] {
	if (Array.isArray(value)) {
		return Array.from(value, (child, index) => ({
			step: { in: "list", index },
			label: index,
			value: child as unknown,
		}));
	}
	if (value instanceof Map) {
		return Array.from(value, ([label, child], index) => ({
			step: { in: "map", index },
			label,
			value: child as unknown,
		}));
	}
	if (value instanceof Set) {
		return Array.from(value, (child, index) => ({
			step: { in: "set", index },
			label: index,
			value: child as unknown,
		}));
	}
	return hasChildren(value)
		? Object.entries(value as object).map(([key, child]) => ({
				step: { in: "object", key },
				label: key,
				value: child as unknown,
			}))
		: [];
}

export function childCount(value: unknown): number {
	if (Array.isArray(value)) return value.length;
	if (value instanceof Map || value instanceof Set) return value.size;
	return hasChildren(value) ? Object.keys(value as object).length : 0;
}

/** A copy in which the value at `path` is another; everything beside the path is shared. */
export function replaceAt(root: unknown, path: Path, value: unknown): unknown {
	const [step, ...rest] = path;
	if (step === undefined) return value;
	return changed(root, step, (child) => [replaceAt(child, rest, value)]);
}

/** A copy without the value at `path`. Throws a `RangeError` for the root. */
export function removeAt(root: unknown, path: Path): unknown {
	const [step, ...rest] = path;
	if (step === undefined) throw new RangeError("The root cannot be removed");
	if (rest.length === 0) return changed(root, step, () => []);
	return changed(root, step, (child) => [removeAt(child, rest)]);
}

/**
 * A copy with one more child behind the last of the value at `path`.
 *
 * @param key - of objects a text, of maps any value; lists and sets need none
 */
export function appendAt(root: unknown, path: Path, key: unknown, value: unknown): unknown {
	const [step, ...rest] = path;
	if (step !== undefined)
		return changed(root, step, (child) => [appendAt(child, rest, key, value)]);
	if (Array.isArray(root)) return [...root, value];
	if (root instanceof Map) return new Map([...root, [key, value]]);
	if (root instanceof Set) return new Set([...root, value]);
	return { ...(root as object), [String(key)]: value };
}

/** As text, to be a key of a set. */
export function pathId(path: Path): string {
	return JSON.stringify(path.map((step) => ("key" in step ? step.key : step.index)));
}

function isSameStep(a: Step, b: Step): boolean {
	return "key" in a ? "key" in b && a.key === b.key : "index" in b && a.index === b.index;
}

function changed(
	parent: unknown,
	step: Step,
	change: (child: unknown) => readonly unknown[],
): unknown {
	const children = childrenOf(parent).flatMap((child): Child[] =>
		isSameStep(child.step, step)
			? change(child.value).map((value) => ({ ...child, value }))
			: [child],
	);
	if (Array.isArray(parent)) return children.map(({ value }) => value);
	if (parent instanceof Map) return new Map(children.map(({ label, value }) => [label, value]));
	if (parent instanceof Set) return new Set(children.map(({ value }) => value));
	return Object.fromEntries(children.map(({ label, value }) => [label, value]));
}
