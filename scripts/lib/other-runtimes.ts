/** A runtime whose binary comes in a package of its own. */
export interface OtherRuntime {
	readonly title: string;
	readonly package: string;
	readonly version: string;
	/** Relative to `node_modules`. */
	readonly binary: string;
}

export const BUN: OtherRuntime = {
	title: "Bun 1.4.5",
	package: "@oven/bun-linux-x64",
	version: "1.4.5",
	binary: "@oven/bun-linux-x64/bin/bun",
};

export const DENO: OtherRuntime = {
	title: "Deno 2.9.6",
	package: "@deno/linux-x64-glibc",
	version: "2.9.6",
	binary: "@deno/linux-x64-glibc/deno",
};
