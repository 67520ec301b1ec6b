import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPackages } from "../build.ts";
import { withLock } from "./lock.ts";
import { publishedPackages, repoRoot, type Workspace } from "./workspaces.ts";

const run = promisify(execFile);

export interface PackedPackage {
	readonly workspace: Workspace;
	/** Absolute path of the tarball that `npm publish` would upload. */
	readonly tarball: string;
	/** Paths in the tarball, relative to the package. */
	readonly files: readonly string[];
}

/**
 * Builds what is stale and packs every published package, or those that are wanted, into `destination`. Within a run of
 * `.ci/run` all of them once, into the folder that it names in `PACKED_PACKAGES`.
 */
export async function packPackages(
	destination: string,
	isWanted: (name: string) => boolean = () => true,
): Promise<PackedPackage[]> {
	const shared = process.env.PACKED_PACKAGES;
	if (shared === undefined) return pack(destination, isWanted);
	mkdirSync(shared, { recursive: true });
	const list = join(shared, "packed.json");
	await withLock(join(shared, "lock.sqlite"), async () => {
		if (existsSync(list)) return;
		const all = await pack(shared, () => true);
		// Whole or not there: whoever is stopped in between leaves none.
		writeFileSync(`${list}.next`, JSON.stringify(all));
		renameSync(`${list}.next`, list);
	});
	const packed = JSON.parse(readFileSync(list, "utf8")) as PackedPackage[];
	return packed.filter(({ workspace }) => isWanted(workspace.manifest.name));
}

async function pack(
	destination: string,
	isWanted: (name: string) => boolean,
): Promise<PackedPackage[]> {
	await buildPackages({ quiet: true });
	mkdirSync(destination, { recursive: true });
	const packages = publishedPackages().filter(({ manifest }) => isWanted(manifest.name));
	if (packages.length === 0) return [];
	const { stdout } = await run(
		"npm",
		[
			...["pack", "--json", "--loglevel=error", "--pack-destination", destination],
			...packages.flatMap(({ manifest }) => ["--workspace", manifest.name]),
		],
		{ cwd: repoRoot, maxBuffer: 64 * 1024 * 1024 },
	);
	const packed = JSON.parse(stdout) as {
		name: string;
		filename: string;
		files: { path: string }[];
	}[];
	return packages.map((workspace) => {
		const entry = packed.find(({ name }) => name === workspace.manifest.name);
		if (entry === undefined) throw new Error(`npm pack did not pack ${workspace.manifest.name}`);
		// npm before 11 printed the scope's slash here; the file on disk never has one.
		const filename = entry.filename.replace("@", "").replace("/", "-");
		return {
			workspace,
			tarball: join(destination, filename),
			files: entry.files.map(({ path }) => path),
		};
	});
}
