import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";

/** Where the module is looked for that exports the registry, relative to Vite's root. */
export const ENTRIES: readonly string[] = [
	"src/actors.ts",
	"src/actors/index.ts",
	"src/registry.ts",
	"actors.ts",
	"registry.ts",
	"src/actors.js",
	"actors.js",
];

/** @returns an absolute path. @throws Error that says what to do when there is no such file */
export function findEntry(root: string, wanted: string | undefined): string {
	if (wanted !== undefined) {
		const file = resolve(root, wanted);
		if (existsSync(file)) return file;
		throw new Error(`rivetkit({ entry: "${wanted}" }): there is no ${file}`);
	}
	const found = ENTRIES.map((entry) => resolve(root, entry)).find((file) => existsSync(file));
	if (found !== undefined) return found;
	throw new Error(
		`rivetkit(): no module with the actors was found below ${root}; looked for ${ENTRIES.join(", ")}. ` +
			'Name it with rivetkit({ entry: "path/of/actors.ts" })',
	);
}

/** A file as messages name it. */
export function shownFile(root: string, file: string): string {
	return relative(root, file).replaceAll("\\", "/");
}
