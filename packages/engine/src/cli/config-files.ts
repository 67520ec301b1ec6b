import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import json5 from "json5";
import { parse as parseYaml } from "yaml";
import { ConfigurationError } from "./configuration-error.ts";

/** By the ending of a file. JSON5 takes JSON, with comments or without. */
const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
	".json": json5.parse,
	".jsonc": json5.parse,
	".json5": json5.parse,
	".yaml": parseYaml,
	".yml": parseYaml,
};

export interface ConfigFile {
	readonly path: string;
	/** An object; what is in it is not checked. */
	readonly content: unknown;
}

/**
 * Files and directories, in order; of a directory, its configuration files by name. Throws a {@link ConfigurationError}.
 *
 * @param otherwise - a directory that is taken when none is named, if it is there
 */
export function readConfigFiles(named: readonly string[], otherwise: string): ConfigFile[] {
	const paths =
		named.length > 0 || statSync(otherwise, { throwIfNoEntry: false }) === undefined
			? named
			: [otherwise];
	return paths.flatMap(readPath);
}

function readPath(path: string): ConfigFile[] {
	const stats = statSync(path, { throwIfNoEntry: false });
	if (!stats) throw new ConfigurationError(`there is no configuration at ${path}`);
	if (stats.isDirectory()) {
		const names = readdirSync(path).sort();
		return names
			.filter((name) => Object.hasOwn(PARSERS, extname(name)))
			.flatMap((name) => readPath(join(path, name)));
	}
	const parse = Object.hasOwn(PARSERS, extname(path)) ? PARSERS[extname(path)] : undefined;
	if (parse === undefined) {
		throw new ConfigurationError(
			`${path}: configuration files end in ${Object.keys(PARSERS).join(", ")}`,
		);
	}
	try {
		// A file with nothing but comments is no configuration, but no mistake.
		return [{ path, content: parse(readFileSync(path, "utf8")) ?? {} }];
	} catch (error) {
		throw new ConfigurationError(`${path}: ${(error as Error).message}`, { cause: error });
	}
}
