import { basename, resolve } from "node:path";
import { cancel, confirm, group, select, text } from "@clack/prompts";
import type { Arguments } from "./arguments.ts";
import { CreateError } from "./create-error.ts";
import { DEFAULTS } from "./defaults.ts";
import { PACKAGE_MANAGERS, type PackageManager } from "./package-manager.ts";
import { checkProjectName } from "./project-name.ts";
import type { Template } from "./templates.ts";

/** All that has to be known. */
export interface Answers {
	readonly directory: string;
	readonly template: string;
	readonly packageManager: PackageManager;
	readonly installs: boolean;
}

/** Asks for what the arguments leave open. Rejects with a {@link CreateError} when the user gives up. */
export function askFor(
	given: Arguments,
	templates: readonly Template[],
	running: PackageManager,
): Promise<Answers> {
	return group(
		{
			directory: async () =>
				given.directory ??
				text({
					message: "Where?",
					placeholder: DEFAULTS.directory,
					defaultValue: DEFAULTS.directory,
					validate: (answer) => problemOf(answer || DEFAULTS.directory),
				}),
			template: async () =>
				given.template ??
				select({
					message: "What?",
					options: templates.map(({ name, title, hint }) => ({ value: name, label: title, hint })),
				}),
			packageManager: async () =>
				given.packageManager ??
				select({
					message: "Which package manager?",
					initialValue: running,
					options: PACKAGE_MANAGERS.map((name) => ({ value: name, label: name })),
				}),
			installs: async () => given.installs ?? confirm({ message: "Install the packages now?" }),
		},
		{
			onCancel: () => {
				cancel("Nothing was written.");
				throw new CreateError("Given up");
			},
		},
	) as Promise<Answers>;
}

function problemOf(directory: string): string | undefined {
	try {
		checkProjectName(basename(resolve(directory)));
		return undefined;
	} catch (error) {
		return (error as CreateError).message;
	}
}
