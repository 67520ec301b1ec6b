import {
	cpSync,
	existsSync,
	globSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { repoRoot, type Workspace } from "./workspaces.ts";

/** Where a package has the templates of projects, relative to it. */
export const TEMPLATES = join("src", "templates");

interface TemplateFile {
	/** What of the examples belongs to the template: path in it to path below examples/. */
	readonly examples?: Readonly<Record<string, string>>;
}

export function hasTemplates({ dir }: Workspace): boolean {
	return existsSync(join(dir, TEMPLATES));
}

/** Puts whole templates into `destination`: a template's own files, and those of the example it shows. */
export function assembleTemplates(templates: string, destination: string): void {
	for (const name of readdirSync(templates)) {
		const target = join(destination, name);
		mkdirSync(target, { recursive: true });
		for (const [path, source] of examplesOf(join(templates, name))) {
			mkdirSync(dirname(join(target, path)), { recursive: true });
			cpSync(source, join(target, path), { recursive: true });
		}
		cpSync(join(templates, name), target, { recursive: true });
	}
}

/** The files of examples that templates are made of, absolute. */
export function templateSources(templates: string): string[] {
	return readdirSync(templates)
		.flatMap((name) => examplesOf(join(templates, name)))
		.flatMap(([, source]) =>
			statSync(source).isFile()
				? [source]
				: globSync("**/*", { cwd: source, withFileTypes: true })
						.filter((entry) => entry.isFile())
						.map((entry) => join(entry.parentPath, entry.name)),
		);
}

function examplesOf(template: string): [path: string, source: string][] {
	const { examples = {} } = JSON.parse(
		readFileSync(join(template, "template.json"), "utf8"),
	) as TemplateFile;
	return Object.entries(examples).map(([path, source]) => [
		path,
		join(repoRoot, "examples", source),
	]);
}
