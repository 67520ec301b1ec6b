import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, sep } from "node:path";
import type { ExamplesFolder } from "./examples-folder.ts";

/** How users compile: strict, bundler resolution, no extensions in imports. */
function tsconfig(conditions: readonly string[]): object {
	return {
		compilerOptions: {
			target: "ES2023",
			lib: ["ES2023", "DOM", "DOM.Iterable"],
			module: "ESNext",
			moduleResolution: "bundler",
			customConditions: conditions,
			strict: true,
			noEmit: true,
			skipLibCheck: true,
			allowImportingTsExtensions: true,
			types: ["node"],
		},
		include: ["*/*.ts"],
	};
}

/** The compilers users have; 7 is the repository's own. */
export const COMPILERS = {
	"7": "../../../package.json",
	"5.9": "../../typescript/5.9/package.json",
	"5.7": "../../typescript/5.7/package.json",
};

/** What the compiler says, by the id of the example. Messages outside the examples are under "". */
export async function typecheck(
	folder: ExamplesFolder,
	conditions: readonly string[],
	version: keyof typeof COMPILERS = "7",
): Promise<Map<string, string[]>> {
	const config = join(folder.path, "tsconfig.json");
	await writeFile(config, JSON.stringify(tsconfig(conditions)));
	const workspace = createRequire(new URL(COMPILERS[version], import.meta.url));
	const compiler = workspace.resolve("typescript/package.json");
	const output = await run(
		[join(compiler, "../bin/tsc"), "-p", config, "--pretty", "false"],
		folder,
	);
	const found = new Map<string, string[]>();
	for (const line of output.split("\n").filter((text) => /error TS\d+/.test(text))) {
		const id = line.startsWith("error") ? "" : line.split(/[/\\]/)[0]!;
		const known = folder.examples.some((example) => example.id === id) ? id : "";
		found.set(known, [...(found.get(known) ?? []), line.replaceAll(sep, "/")]);
	}
	return found;
}

function run(args: readonly string[], folder: ExamplesFolder): Promise<string> {
	return new Promise((resolve, reject) => {
		execFile(
			process.execPath,
			[...args],
			{ cwd: folder.path, maxBuffer: 2 ** 26 },
			(error, stdout) => {
				// A compiler that found something ends with a code; one that could not be run does not.
				if (error && typeof error.code !== "number") reject(error);
				else resolve(stdout);
			},
		);
	});
}
