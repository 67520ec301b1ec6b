import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { CreateError } from "./create-error.ts";
import { type PackageManager, runCommand } from "./package-manager.ts";
import { checkProjectName } from "./project-name.ts";
import { findTemplate, readTemplates, shippedTemplates, TEMPLATE_FILE } from "./templates.ts";

export interface CreateOptions {
	/** Of the project; made if it does not exist. Its last part is the name of the package. */
	readonly directory: string;
	/** See {@link Template.name}. */
	readonly template: string;
	/** For the commands in the README. Default npm. */
	readonly packageManager?: PackageManager;
	/** Where the templates are. Default: those of this package. */
	readonly templatesFolder?: string;
}

export interface CreatedProject {
	/** Absolute. */
	readonly directory: string;
	readonly name: string;
	/** Scripts of its package.json. */
	readonly scripts: readonly string[];
}

/** A repository that was just made does not keep anybody from beginning in it. */
const HARMLESS = [".git", ".DS_Store", ".idea", ".vscode"];

/**
 * Writes a project from a template; installs nothing.
 *
 * @throws CreateError when the folder has something in it, its name cannot be a package's, or there is no such
 * template; nothing was written then
 */
export function createProject(options: CreateOptions): CreatedProject {
	const { packageManager = "npm", templatesFolder = shippedTemplates() } = options;
	const directory = resolve(options.directory);
	const name = basename(directory);
	checkProjectName(name);
	const template = findTemplate(readTemplates(templatesFolder), options.template);
	checkEmpty(directory);

	mkdirSync(directory, { recursive: true });
	cpSync(template.folder, directory, {
		recursive: true,
		filter: (file) => basename(file) !== TEMPLATE_FILE && basename(file) !== "_gitignore",
	});
	// npm leaves files of this name out of packages.
	writeFileSync(join(directory, ".gitignore"), readFileSync(join(template.folder, "_gitignore")));
	const scripts = writeManifest(directory, name);
	fill(join(directory, "README.md"), { name, run: runCommand(packageManager) });
	return { directory, name, scripts };
}

function checkEmpty(directory: string): void {
	if (!existsSync(directory)) return;
	const found = readdirSync(directory).filter((entry) => !HARMLESS.includes(entry));
	if (found.length === 0) return;
	const [first, second, ...others] = found.sort();
	const list = [first, second, others.length > 0 ? "…" : undefined].filter(Boolean).join(", ");
	throw new CreateError(
		`${directory} is not empty (${list}): name another folder, or empty this one`,
	);
}

/** Names the package, and asks for the versions of ours that this package belongs to. @returns its scripts */
function writeManifest(directory: string, name: string): string[] {
	const path = join(directory, "package.json");
	const template = JSON.parse(readFileSync(path, "utf8")) as {
		readonly scripts: Readonly<Record<string, string>>;
		readonly dependencies: Readonly<Record<string, string>>;
		readonly devDependencies: Readonly<Record<string, string>>;
	};
	const version = ownVersion();
	const pinned = (ranges: Readonly<Record<string, string>>) =>
		Object.fromEntries(
			Object.entries(ranges).map(([dependency, range]) => [
				dependency,
				range === "*" ? `^${version}` : range,
			]),
		);
	const manifest = {
		name,
		version: "0.1.0",
		...template,
		engines: { node: ">=22.18" },
		dependencies: pinned(template.dependencies),
		devDependencies: pinned(template.devDependencies),
	};
	writeFileSync(path, `${JSON.stringify(manifest, null, "\t")}\n`);
	return Object.keys(template.scripts);
}

function fill(file: string, values: Readonly<Record<string, string>>): void {
	const text = readFileSync(file, "utf8");
	const filled = text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => {
		const value = values[key];
		if (value === undefined) throw new Error(`${file}: there is no value for {{${key}}}`);
		return value;
	});
	writeFileSync(file, filled);
}

/** All packages of the repository have one version. */
export function ownVersion(): string {
	const text = readFileSync(join(import.meta.dirname, "..", "package.json"), "utf8");
	return (JSON.parse(text) as { version: string }).version;
}
