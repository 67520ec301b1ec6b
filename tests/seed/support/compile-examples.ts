import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { ExamplesFolder } from "./examples-folder.ts";
import type { Example } from "./extract-examples.ts";

/** The part of the compiler's interface that is used here; TypeScript 7 has none that is stable. */
interface Compiler {
	transpileModule(
		code: string,
		options: { compilerOptions: { module: number; target: number } },
	): { outputText: string };
	readonly ModuleKind: { readonly ESNext: number };
	readonly ScriptTarget: { readonly ES2022: number };
}

/** How one example is run: which module has the actors, which one is the program. */
export interface Program {
	/** Exports `registry`; null when the program needs no server. */
	readonly server: string | null;
	readonly main: string;
}

/** Compiles all files of the examples to modules that Node runs, imports between them included. */
export async function compileExamples(folder: ExamplesFolder): Promise<void> {
	const compiler = loadCompiler();
	for (const example of folder.examples) {
		for (const [file, code] of sources(example)) {
			const { outputText } = compiler.transpileModule(code, {
				compilerOptions: {
					module: compiler.ModuleKind.ESNext,
					target: compiler.ScriptTarget.ES2022,
				},
			});
			const linked = outputText.replace(/from "(\.\/[\w-]+)(?:\.[jt]s)?"/g, 'from "$1.mjs"');
			await writeFile(join(folder.path, example.id, file.replace(/\.ts$/, ".mjs")), linked);
		}
	}
}

export function programOf(example: Example): Program {
	const files = example.blocks.map(({ file }) => file);
	if (files.includes("client.ts")) return { server: "actors.mjs", main: "client.mjs" };
	const [file] = files as [string];
	const main = file.replace(/\.ts$/, ".mjs");
	const hasServer = [...sources(example)].some(([name]) => name === "server.ts");
	return { server: hasServer ? "server.mjs" : null, main };
}

function* sources(example: Example): Generator<[file: string, code: string]> {
	for (const { file, code } of [...example.borrowed, ...example.blocks]) yield [file, code];
	const server = serverPart(example);
	const given = example.borrowed.some(({ file }) => file === "server.ts");
	if (server !== null && !given) yield ["server.ts", server];
}

/**
 * Server and client of the guide are often one block, as types are its subject. Split, the part before
 * the client is the server of a real program.
 */
function serverPart(example: Example): string | null {
	const [{ code }] = example.blocks as [Example["blocks"][0]];
	const client = code.indexOf("const client = createClient");
	if (client < 0 || !code.includes("const registry = setup")) return null;
	return `${code.slice(0, client)}\nexport { registry };\n`;
}

function loadCompiler(): Compiler {
	const package59 = new URL("../../typescript/5.9/package.json", import.meta.url);
	return createRequire(package59)("typescript") as Compiler;
}
