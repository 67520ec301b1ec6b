// Builds the published packages into their dist/ folders, dependencies first.
//
//     node scripts/build.ts [--force] [--quiet] [package name or folder …]
//
// A package whose inputs did not change since its last build is left alone (--force builds it anyway).
// Modules stay one to one with the sources: stack traces name real files, and a worker's URL is the
// same before and after the build.

import { createHash } from "node:crypto";
import {
	existsSync,
	globSync,
	mkdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "tsdown";
import { build as buildPage } from "vite";
import { entriesOf } from "./lib/entries.ts";
import { withLock } from "./lib/lock.ts";
import { hasPage, PAGE_CONFIG, PAGE_FOLDER } from "./lib/pages.ts";
import { assembleTemplates, hasTemplates, TEMPLATES, templateSources } from "./lib/templates.ts";
import { publishedPackages, repoRoot, type Workspace } from "./lib/workspaces.ts";

/** Packages that browsers load too: their dependencies are resolved for no runtime in particular. */
const RUNTIME_NEUTRAL = new Set(["@rivetkit/protocol"]);

/** In the root, as declarations of one package need the sources of others. Made for each in turn: the build has a lock. */
const ownConfig = join(repoRoot, "tsconfig.build.next.json");

const stamps = join(repoRoot, "node_modules", ".cache", "rivetkit-build");

/** Builds what is stale. @returns the names of the packages that were built */
export async function buildPackages(options: {
	readonly only?: readonly string[];
	readonly force?: boolean;
	readonly quiet?: boolean;
}): Promise<string[]> {
	mkdirSync(stamps, { recursive: true });
	return await withLock(join(stamps, "lock.sqlite"), async () => {
		const built: string[] = [];
		for (const workspace of select(options.only ?? [])) {
			if (!options.force && isFresh(workspace)) continue;
			await buildPackage(workspace, options.quiet ?? false);
			built.push(workspace.manifest.name);
		}
		return built;
	});
}

function select(only: readonly string[]): Workspace[] {
	const all = publishedPackages();
	for (const wanted of only) {
		if (!all.some((workspace) => answersTo(workspace, wanted))) {
			throw new Error(
				`There is no package "${wanted}"; there are ${all.map((w) => w.manifest.name).join(", ")}`,
			);
		}
	}
	return only.length === 0
		? all
		: all.filter((workspace) => only.some((wanted) => answersTo(workspace, wanted)));
}

function answersTo(workspace: Workspace, wanted: string): boolean {
	return workspace.manifest.name === wanted || workspace.dir === resolve(wanted);
}

async function buildPackage(workspace: Workspace, quiet: boolean): Promise<void> {
	const { dir, manifest } = workspace;
	const inputs = hashOfInputs(workspace);
	const startMs = performance.now();
	// Built beside dist and swapped in at the end: whoever runs on the old build never sees half of one.
	const next = join(dir, `dist.next-${process.pid}`);
	try {
		// Without a list, the compiler writes declarations of everything in the repository, for each package.
		writeFileSync(
			ownConfig,
			JSON.stringify({
				extends: "./tsconfig.build.json",
				include: [`${workspace.path}/src`],
				exclude: [`${workspace.path}/${TEMPLATES}`],
			}),
		);
		await build({
			config: false,
			cwd: dir,
			entry: entriesOf(workspace),
			outDir: next,
			tsconfig: ownConfig,
			format: "esm",
			fixedExtension: false,
			platform: RUNTIME_NEUTRAL.has(manifest.name) ? "neutral" : "node",
			target: "es2023",
			unbundle: true,
			sourcemap: true,
			dts: { sourcemap: true },
			report: false,
			logLevel: "error",
			failOnWarn: false,
		});
		if (hasPage(workspace)) {
			await inProduction(() =>
				buildPage({
					configFile: join(dir, PAGE_CONFIG),
					build: { outDir: join(next, PAGE_FOLDER), reportCompressedSize: false },
					logLevel: "error",
				}),
			);
		}
		if (hasTemplates(workspace)) assembleTemplates(join(dir, TEMPLATES), join(next, "templates"));
		rmSync(join(dir, "dist"), { recursive: true, force: true });
		renameSync(next, join(dir, "dist"));
	} finally {
		rmSync(ownConfig, { force: true });
		rmSync(next, { recursive: true, force: true });
	}
	writeFileSync(stampOf(workspace), inputs);
	if (!quiet)
		console.log(`built ${manifest.name} in ${Math.round(performance.now() - startMs)} ms`);
}

/** Vitest builds what is stale with NODE_ENV=test, which would ship the development builds of React and others. */
async function inProduction<T>(run: () => Promise<T>): Promise<T> {
	const before = process.env.NODE_ENV;
	process.env.NODE_ENV = "production";
	try {
		return await run();
	} finally {
		if (before === undefined) delete process.env.NODE_ENV;
		else process.env.NODE_ENV = before;
	}
}

function isFresh(workspace: Workspace): boolean {
	const stamp = stampOf(workspace);
	return (
		existsSync(stamp) &&
		readFileSync(stamp, "utf8") === hashOfInputs(workspace) &&
		Object.keys(entriesOf(workspace)).every((name) =>
			existsSync(join(workspace.dir, "dist", `${name}.js`)),
		) &&
		(!hasPage(workspace) || existsSync(join(workspace.dir, "dist", PAGE_FOLDER, "index.html"))) &&
		(!hasTemplates(workspace) || existsSync(join(workspace.dir, "dist", "templates")))
	);
}

function stampOf(workspace: Workspace): string {
	return join(stamps, `${workspace.manifest.name.replace("/", "__")}.sha256`);
}

/** Everything the output depends on: its own and its dependencies' sources, the tools, this script. */
function hashOfInputs(workspace: Workspace): string {
	const hash = createHash("sha256");
	const own = publishedPackages().slice(
		0,
		publishedPackages().findIndex(({ dir }) => dir === workspace.dir) + 1,
	);
	const files = [
		...own.flatMap(({ dir }) => [
			join(dir, "package.json"),
			...globSync("*.config.ts", { cwd: dir }).map((file) => join(dir, file)),
			...globSync("src/**/*", { cwd: dir, withFileTypes: true })
				.filter((entry) => entry.isFile())
				.map((entry) => join(entry.parentPath, entry.name)),
		]),
		...(hasTemplates(workspace) ? templateSources(join(workspace.dir, TEMPLATES)) : []),
		...[
			"package-lock.json",
			"tsconfig.base.json",
			"tsconfig.build.json",
			"scripts/build.ts",
			"scripts/lib/entries.ts",
			"scripts/lib/pages.ts",
			"scripts/lib/templates.ts",
		].map((file) => join(repoRoot, file)),
	].sort();
	for (const file of files)
		hash.update(relative(repoRoot, file)).update("\0").update(readFileSync(file)).update("\0");
	return hash.digest("hex");
}

if (import.meta.main) {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: { force: { type: "boolean" }, quiet: { type: "boolean" } },
	});
	const built = await buildPackages({
		only: positionals,
		force: values.force ?? false,
		quiet: values.quiet ?? false,
	});
	if (built.length === 0 && !values.quiet)
		console.log("nothing to build: every package is up to date");
}
