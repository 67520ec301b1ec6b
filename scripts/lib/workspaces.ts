import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the repository. */
export const repoRoot: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The parts of a package.json that the repository's own tools read. */
export interface Manifest {
	readonly name: string;
	readonly version: string;
	readonly description?: string;
	readonly license?: string;
	readonly private?: boolean;
	readonly bin?: string | Readonly<Record<string, string>>;
	readonly exports?: ExportTarget;
	readonly files?: readonly string[];
	readonly scripts?: Readonly<Record<string, string>>;
	readonly dependencies?: Readonly<Record<string, string>>;
	readonly devDependencies?: Readonly<Record<string, string>>;
	readonly peerDependencies?: Readonly<Record<string, string>>;
	readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A path, or conditions, or subpaths, nested as `exports` allows. */
export type ExportTarget = string | null | { readonly [condition: string]: ExportTarget };

export interface Workspace {
	/** Absolute folder. */
	readonly dir: string;
	/** Folder relative to the repository, with "/" on every platform. */
	readonly path: string;
	readonly manifest: Manifest;
}

export function readManifest(dir: string): Manifest {
	return JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Manifest;
}

/** Every workspace of the root package.json, sorted by path. */
export function workspaces(root: string = repoRoot): Workspace[] {
	const { workspaces: patterns } = readManifest(root) as Manifest & { workspaces: string[] };
	return patterns
		.flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: root }))
		.map((file) => {
			const dir = join(root, dirname(file));
			return {
				dir,
				path: relative(root, dir).split(sep).join("/"),
				manifest: readManifest(dir),
			};
		})
		.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What gets published: the workspaces below packages/ that are not private, dependencies first. */
export function publishedPackages(root: string = repoRoot): Workspace[] {
	return dependenciesFirst(
		workspaces(root).filter(
			({ path, manifest }) => path.startsWith("packages/") && !manifest.private,
		),
	);
}

/** Orders workspaces so that each comes after those it depends on. Throws on a cycle. */
export function dependenciesFirst(list: readonly Workspace[]): Workspace[] {
	const byName = new Map(list.map((workspace) => [workspace.manifest.name, workspace]));
	const ordered: Workspace[] = [];
	const visiting = new Set<string>();
	const visit = (workspace: Workspace): void => {
		const { name, dependencies, devDependencies, peerDependencies } = workspace.manifest;
		if (ordered.includes(workspace)) return;
		if (visiting.has(name)) {
			throw new Error(
				`Workspaces depend on each other in a circle: ${[...visiting, name].join(" → ")}`,
			);
		}
		visiting.add(name);
		// What is bundled is a dev dependency, and has to be there first all the same.
		const needed = { ...dependencies, ...devDependencies, ...peerDependencies };
		for (const dependency of Object.keys(needed)) {
			const other = byName.get(dependency);
			if (other) visit(other);
		}
		visiting.delete(name);
		ordered.push(workspace);
	};
	for (const workspace of list) visit(workspace);
	return ordered;
}

/** All file paths an `exports` or `bin` value names, for the conditions it lists. */
export function targetsOf(target: ExportTarget | undefined): string[] {
	if (target === null || target === undefined) return [];
	if (typeof target === "string") return [target];
	return Object.values(target).flatMap(targetsOf);
}
