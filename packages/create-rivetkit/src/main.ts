#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { relative } from "node:path";
import { type Arguments, parseArguments } from "./arguments.ts";
import { CreateError } from "./create-error.ts";
import { createProject, ownVersion } from "./create-project.ts";
import { DEFAULTS } from "./defaults.ts";
import { helpText } from "./help.ts";
import { type PackageManager, runCommand, runningPackageManager } from "./package-manager.ts";
import { findTemplate, readTemplates, type Template } from "./templates.ts";

async function main(argv: readonly string[]): Promise<void> {
	const given = parseArguments(argv);
	const templates = readTemplates();
	if (given.help) return print(helpText(templates));
	if (given.version) return print(`${ownVersion()}\n`);
	if (given.template !== undefined) findTemplate(templates, given.template);
	const { directory, template, packageManager, installs } = await answersTo(given, templates);
	const project = createProject({ directory, template, packageManager });
	const here = relative(process.cwd(), project.directory) || ".";
	print(`Wrote ${project.name} to ${here}\n`);
	if (installs) install(project.directory, packageManager);
	const run = runCommand(packageManager);
	const first = project.scripts.includes("dev") ? "dev" : "start";
	const steps = [
		...(here === "." ? [] : [`cd ${here}`]),
		...(installs ? [] : [`${packageManager} install`]),
		`${run} ${first}`,
		`${run} test`,
	];
	print(`\nNext:\n${steps.map((step) => `  ${step}\n`).join("")}`);
}

async function answersTo(given: Arguments, templates: readonly Template[]) {
	const running = runningPackageManager(process.env.npm_config_user_agent);
	const isComplete =
		given.directory !== undefined && given.template !== undefined && given.installs !== undefined;
	if (given.yes || isComplete) {
		return {
			directory: given.directory ?? DEFAULTS.directory,
			template: given.template ?? DEFAULTS.template,
			packageManager: given.packageManager ?? running,
			installs: given.installs ?? true,
		};
	}
	if (!process.stdin.isTTY || !process.stdout.isTTY) {
		throw new CreateError(
			"There is no terminal to ask in: give a folder, --template, and --install or --no-install; or --yes",
		);
	}
	// The prompts need not be loaded by those who are asked nothing.
	const { askFor } = await import("./ask.ts");
	return askFor(given, templates, running);
}

function install(directory: string, packageManager: PackageManager): void {
	const { status, error } = spawnSync(packageManager, ["install"], {
		cwd: directory,
		stdio: "inherit",
		// Package managers are scripts on Windows.
		shell: process.platform === "win32",
	});
	if (status === 0) return;
	const reason = error ? error.message : `it ended with ${status}`;
	throw new CreateError(
		`${packageManager} install did not work (${reason}). The project is in ${directory}: install there by hand`,
	);
}

function print(text: string): void {
	process.stdout.write(text);
}

main(process.argv.slice(2)).catch((error: unknown) => {
	process.exitCode = 1;
	console.error(error instanceof CreateError ? `error: ${error.message}` : error);
});
