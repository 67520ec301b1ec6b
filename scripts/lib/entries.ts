import { existsSync, globSync } from "node:fs";
import { join, sep } from "node:path";
import { targetsOf, type Workspace } from "./workspaces.ts";

/**
 * What to build, read from package.json so that nobody keeps a second list: every `./dist/x.js` that
 * `exports` or `bin` names is built from `./src/x.ts`, and every `src/**\/*.worker.ts` is built in
 * place, because code reaches it by URL and no import names it.
 *
 * @returns output name (without extension) to source file, relative to the package
 * @throws Error when a target has no source
 */
export function entriesOf(workspace: Workspace): Record<string, string> {
	const { dir, manifest } = workspace;
	const targets = [...targetsOf(manifest.exports), ...targetsOf(manifest.bin)];
	const entries: Record<string, string> = {};
	for (const target of targets) {
		const name = /^(?:\.\/)?dist\/(.+)\.js$/.exec(target)?.[1];
		if (name === undefined) continue;
		const source = [`src/${name}.ts`, `src/${name}.tsx`].find((file) =>
			existsSync(join(dir, file)),
		);
		if (source === undefined) {
			throw new Error(
				`${workspace.path}/package.json names ${target}, but there is no src/${name}.ts`,
			);
		}
		entries[name] = source;
	}
	for (const file of globSync("src/**/*.worker.ts", { cwd: dir })) {
		const source = file.split(sep).join("/");
		entries[source.slice("src/".length, -".ts".length)] = source;
	}
	return entries;
}
