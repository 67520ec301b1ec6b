import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The files below `context` that Docker would send to a build: those that a `.dockerignore` does not take out. */
export function contextFiles(context: string, dockerignore: string): string[] {
	const isIgnored = ignoring(dockerignore);
	return filesBelow(context).filter((file) => !isIgnored(file));
}

/** All files below a folder, relative to it, sorted. Links are files. */
export function filesBelow(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: "utf8" })
		.filter((name) => !lstatSync(join(folder, name)).isDirectory())
		.sort();
}

/** The last pattern that matches a path, or a folder above it, decides. */
function ignoring(dockerignore: string): (path: string) => boolean {
	const rules = dockerignore
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !line.startsWith("#"))
		.map((line) => {
			const isException = line.startsWith("!");
			return { isException, pattern: expression(isException ? line.slice(1) : line) };
		});
	return (path) => {
		const parts = path.split("/");
		const above = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
		const rule = rules.findLast(({ pattern }) => above.some((one) => pattern.test(one)));
		return rule !== undefined && !rule.isException;
	};
}

const WILDCARDS: Readonly<Record<string, string>> = {
	"**/": "(?:.*/)?",
	"**": ".*",
	"*": "[^/]*",
	"?": "[^/]",
};

function expression(pattern: string): RegExp {
	const source = pattern
		.replace(/^\/|\/$/g, "")
		.replace(/\*\*\/|\*\*|\*|\?|[.+^$(){}|[\]\\]/g, (part) => WILDCARDS[part] ?? `\\${part}`);
	return new RegExp(`^${source}$`);
}
