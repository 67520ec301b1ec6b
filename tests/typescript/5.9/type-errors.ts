import { dirname } from "node:path";
import type typescript from "typescript";

export interface Checked {
	/** Files of the project itself, without what they import. */
	readonly files: readonly string[];
	/** What the compiler says of these files and of the configuration, as it would print it. */
	readonly errors: readonly string[];
}

/**
 * Checks the files that a configuration names with a compiler of the 5th generation, and of what they import only what
 * their types depend on: users have declarations of it, whose insides nobody checks.
 */
export function check(compiler: typeof typescript, configFile: string): Checked {
	const read = compiler.readConfigFile(configFile, compiler.sys.readFile);
	const folder = dirname(configFile);
	const config = compiler.parseJsonConfigFileContent(read.config, compiler.sys, folder);
	const program = compiler.createProgram({
		rootNames: config.fileNames,
		options: config.options,
	});
	const found = [
		...(read.error ? [read.error] : []),
		...config.errors,
		...program.getOptionsDiagnostics(),
		...program.getGlobalDiagnostics(),
		...config.fileNames.flatMap((name) => {
			const file = program.getSourceFile(name)!;
			return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
		}),
	];
	const errors = compiler.formatDiagnostics(found, {
		getCanonicalFileName: (name) => name,
		getCurrentDirectory: () => folder,
		getNewLine: () => "\n",
	});
	return { files: config.fileNames, errors: errors.split("\n").filter((line) => line !== "") };
}
