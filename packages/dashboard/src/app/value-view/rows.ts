import { childrenOf, hasChildren, type Path, pathId, type Step } from "../values/tree.ts";

/** One line of a tree. */
export interface TreeRow {
	readonly id: string;
	readonly path: Path;
	readonly depth: number;
	/** Undefined for the root. */
	readonly step: Step | undefined;
	readonly label: unknown;
	readonly value: unknown;
	readonly isParent: boolean;
	readonly isOpen: boolean;
}

/** Levels that are open until somebody closes them, and how many children such a node has at most. */
const OPEN_DEPTH = 2;
const OPEN_CHILDREN_MAX = 50;

/** What was opened and closed by hand, by path. */
export type Toggled = ReadonlyMap<string, boolean>;

/** The lines of a value that are seen, from top to bottom. */
export function rowsOf(root: unknown, toggled: Toggled): TreeRow[] {
	const rows: TreeRow[] = [];
	const visit = (value: unknown, path: Path, label: unknown): void => {
		const id = pathId(path);
		const isParent = hasChildren(value);
		const children = isParent ? childrenOf(value) : [];
		const opens =
			path.length < OPEN_DEPTH && (path.length === 0 || children.length <= OPEN_CHILDREN_MAX);
		const isOpen = isParent && (toggled.get(id) ?? opens);
		const depth = path.length;
		rows.push({ id, path, depth, step: path.at(-1), label, value, isParent, isOpen });
		if (!isOpen) return;
		for (const child of children) visit(child.value, [...path, child.step], child.label);
	};
	visit(root, [], undefined);
	return rows;
}
