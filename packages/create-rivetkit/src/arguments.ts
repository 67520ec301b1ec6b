import { parseArgs } from "node:util";
import { CreateError } from "./create-error.ts";
import { isPackageManager, PACKAGE_MANAGERS, type PackageManager } from "./package-manager.ts";

/** What the command line says; undefined where it says nothing. */
export interface Arguments {
	readonly directory: string | undefined;
	readonly template: string | undefined;
	readonly packageManager: PackageManager | undefined;
	/** Undefined: ask. */
	readonly installs: boolean | undefined;
	/** Ask nothing: defaults for what is left out. */
	readonly yes: boolean;
	readonly help: boolean;
	readonly version: boolean;
}

/** Throws a {@link CreateError} for what it does not know. */
export function parseArguments(argv: readonly string[]): Arguments {
	const { values, positionals } = parsed(argv);
	if (positionals.length > 1) {
		throw new CreateError(`Give one folder, not ${positionals.length}: ${positionals.join(", ")}`);
	}
	const { pm } = values;
	if (pm !== undefined && !isPackageManager(pm)) {
		throw new CreateError(`--pm ${pm}: it is one of ${PACKAGE_MANAGERS.join(", ")}`);
	}
	return {
		directory: positionals[0],
		template: values.template,
		packageManager: pm,
		installs: values["no-install"] ? false : values.install,
		yes: values.yes ?? false,
		help: values.help ?? false,
		version: values.version ?? false,
	};
}

function parsed(argv: readonly string[]) {
	try {
		return parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: {
				template: { type: "string", short: "t" },
				pm: { type: "string" },
				install: { type: "boolean" },
				"no-install": { type: "boolean" },
				yes: { type: "boolean", short: "y" },
				help: { type: "boolean", short: "h" },
				version: { type: "boolean", short: "v" },
			},
		});
	} catch (error) {
		throw new CreateError(`${(error as Error).message.split("\n", 1)[0]} See --help`);
	}
}
