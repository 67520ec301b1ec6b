import { readFile } from "node:fs/promises";
import { CommandFailed, UsageError } from "../failure.ts";
import { cannotRead } from "../files.ts";
import { fromExactJson } from "../output/exact-json.ts";
import { type Streams, shortened } from "../output/terminal.ts";

/** A value on the command line. Throws a {@link UsageError}. */
export function jsonArgument(text: string, what: string): unknown {
	try {
		return fromExactJson(text);
	} catch (error) {
		throw new UsageError(
			`${what} is not JSON: ${shortened(text, 60)} (${(error as Error).message}); a text is written '"…"', with both kinds of quotes.`,
		);
	}
}

/** A value on the command line, on the standard input (`-`), or in a file (`@FILE`). */
export async function jsonSource(text: string, what: string, streams: Streams): Promise<unknown> {
	if (text !== "-" && !text.startsWith("@")) return jsonArgument(text, what);
	const source = text === "-" ? "the standard input" : text.slice(1);
	const content = text === "-" ? await wholeInput(streams) : await fileText(source);
	try {
		return fromExactJson(content);
	} catch (error) {
		throw new CommandFailed(`What is in ${source} is not JSON: ${(error as Error).message}.`);
	}
}

async function wholeInput({ stdin }: Streams): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
	return Buffer.concat(chunks).toString("utf8");
}

async function fileText(path: string): Promise<string> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		throw cannotRead(path, error);
	}
}
