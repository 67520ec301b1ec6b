import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, posix, sep } from "node:path";
import { parseSync } from "oxc-parser";
import type { Room } from "./import-rules.ts";

/** One import, export-from or `import()` of a file. */
export interface Import {
	/** The importing file, relative to the repository, with "/". */
	readonly file: string;
	/** 1-based. */
	readonly line: number;
	readonly specifier: string;
	/** Written as `import type` or `export type`: the module is not loaded for it. */
	readonly typeOnly: boolean;
}

export interface Violation {
	readonly file: string;
	readonly line: number;
	readonly message: string;
}

export interface Rules {
	readonly rooms: readonly Room[];
	readonly packageRooms: Readonly<Record<string, string>>;
}

const CODE = ["ts", "tsx", "mts", "js", "mjs"];

/** Reads the imports of every source file of the rooms. Tests of packages are in no room. */
export function readImports(root: string, rooms: readonly Room[]): Import[] {
	const files = new Set(
		rooms.flatMap(({ at }) =>
			at.flatMap((place) =>
				globSync([place, `${place}/**/*`], {
					cwd: root,
					exclude: (name) => ["node_modules", "dist"].includes(name),
				}),
			),
		),
	);
	return [...files]
		.map((file) => file.split(sep).join("/"))
		.filter((file) => CODE.includes(file.split(".").at(-1) ?? ""))
		.sort()
		.flatMap((file) => importsOf(file, readFileSync(join(root, file), "utf8")));
}

/** Parses one file. Throws when it is not valid TypeScript. */
export function importsOf(file: string, source: string): Import[] {
	const { module, errors } = parseSync(file, source);
	if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
	const found: Import[] = [];
	const add = (start: number, specifier: string, typeOnly: boolean): void => {
		const line = source.slice(0, start).split("\n").length;
		found.push({ file, line, specifier, typeOnly });
	};
	for (const { start, end, moduleRequest } of module.staticImports) {
		add(start, moduleRequest.value, /^import\s+type\b/.test(source.slice(start, end)));
	}
	for (const { start, end, entries } of module.staticExports) {
		const request = entries.find((entry) => entry.moduleRequest)?.moduleRequest;
		if (request) add(start, request.value, /^export\s+type\b/.test(source.slice(start, end)));
	}
	for (const { start, moduleRequest } of module.dynamicImports) {
		const text = source.slice(moduleRequest.start, moduleRequest.end);
		const literal = /^(["'`])([^$]*)\1$/.exec(text)?.[2];
		if (literal !== undefined) add(start, literal, false);
	}
	return found;
}

/** Holds the imports against the rules. Empty when all is well. */
export function checkImports(imports: readonly Import[], rules: Rules): Violation[] {
	return [...imports.flatMap((one) => checkImport(one, rules)), ...findCycles(imports)];
}

function checkImport(one: Import, { rooms, packageRooms }: Rules): Violation[] {
	const from = roomOf(one.file, rooms);
	if (from === undefined) throw new Error(`${one.file} is in no room`);
	const refuse = (message: string): Violation[] => [{ file: one.file, line: one.line, message }];

	if (one.specifier.startsWith(".")) {
		const target = posix.join(posix.dirname(one.file), one.specifier);
		if (workspaceOf(target) !== workspaceOf(one.file) && !from.internals) {
			return refuse(`"${one.specifier}" leaves its workspace; import the package by its name`);
		}
		const to = roomOf(target, rooms);
		// Within the workspace but in no room: a data file such as package.json.
		return to === undefined || to === from ? [] : checkArrow(one, from, to.name, refuse);
	}

	const packageName = one.specifier.match(/^(@[^/]+\/)?[^/]+/)?.[0] ?? one.specifier;
	const ours = packageRooms[one.specifier] ?? packageRooms[packageName];
	if (ours !== undefined) return ours === from.name ? [] : checkArrow(one, from, ours, refuse);
	if (from.browser === undefined || one.typeOnly) return [];
	if (isBuiltin(one.specifier))
		return refuse(`${from.name} runs in browsers: no "${one.specifier}"`);
	if (from.browser.packages.includes(packageName)) return [];
	return refuse(
		`${from.name} runs in browsers: "${packageName}" is not among the packages it may load`,
	);
}

function checkArrow(
	one: Import,
	from: Room,
	to: string,
	refuse: (message: string) => Violation[],
): Violation[] {
	if (from.imports.includes(to)) return [];
	if (!from.types?.includes(to)) return refuse(`${from.name} may not import ${to}`);
	return one.typeOnly ? [] : refuse(`${from.name} may import only types of ${to}`);
}

/** The room with the longest matching place. */
function roomOf(file: string, rooms: readonly Room[]): Room | undefined {
	let best: { room: Room; length: number } | undefined;
	for (const room of rooms) {
		for (const place of room.at) {
			const matches = file === place || file.startsWith(`${place}/`);
			if (matches && place.length > (best?.length ?? -1)) best = { room, length: place.length };
		}
	}
	return best?.room;
}

/** `packages/x`, `examples/x`, `benchmarks`. */
function workspaceOf(file: string): string {
	const [top = "", name = ""] = file.split("/");
	return top === "packages" || top === "examples" ? `${top}/${name}` : top;
}

/** Files that need each other to load: neither can be read, tested or moved alone. */
function findCycles(imports: readonly Import[]): Violation[] {
	const edges = new Map<string, Import[]>();
	for (const one of imports) {
		if (one.typeOnly || !one.specifier.startsWith(".")) continue;
		edges.set(one.file, [...(edges.get(one.file) ?? []), one]);
	}
	const violations: Violation[] = [];
	const done = new Set<string>();
	const visit = (file: string, path: readonly string[]): void => {
		if (done.has(file)) return;
		for (const one of edges.get(file) ?? []) {
			const target = posix.join(posix.dirname(file), one.specifier);
			const at = path.indexOf(target);
			if (at >= 0) {
				const circle = [...path.slice(at), target].join(" → ");
				violations.push({ file, line: one.line, message: `imports in a circle: ${circle}` });
			} else {
				visit(target, [...path, target]);
			}
		}
		done.add(file);
	};
	for (const file of edges.keys()) visit(file, [file]);
	return violations;
}

/** Mistakes in the rules themselves. */
export function checkRules({ rooms, packageRooms }: Rules): string[] {
	const names = new Map(rooms.map((room) => [room.name, room]));
	const problems: string[] = [];
	if (names.size !== rooms.length) problems.push("two rooms share a name");
	for (const room of rooms) {
		for (const other of [...room.imports, ...(room.types ?? [])]) {
			if (!names.has(other)) problems.push(`${room.name} lists ${other}, which is no room`);
		}
		for (const other of room.imports) {
			if (room.browser && names.get(other)?.browser === undefined) {
				problems.push(`${room.name} runs in browsers but may import ${other}, which does not`);
			}
			if (names.get(other)?.imports.includes(room.name)) {
				problems.push(`${room.name} and ${other} may import each other`);
			}
		}
	}
	for (const [name, room] of Object.entries(packageRooms)) {
		if (!names.has(room)) problems.push(`${name} is ${room}, which is no room`);
	}
	return problems;
}
