import { styleText } from "node:util";

/** What the command writes to and reads from; the process, but for tests. */
export interface Streams {
	readonly stdout: NodeJS.WriteStream;
	readonly stderr: NodeJS.WriteStream;
	readonly stdin: NodeJS.ReadStream;
	readonly env: NodeJS.ProcessEnv;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "magenta";

/** Writes for people: colours where they can be seen, one line per line. */
export class Terminal {
	readonly #stream: NodeJS.WriteStream;
	readonly #coloured: boolean;

	constructor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
		this.#stream = stream;
		this.#coloured = wantsColours(stream, env);
	}

	get isTerminal(): boolean {
		return this.#stream.isTTY === true;
	}

	style(style: Style, text: string): string {
		return this.#coloured ? styleText(style, text, { validateStream: false }) : text;
	}

	line(text = ""): void {
		this.#stream.write(`${text}\n`);
	}

	/** Resolves when the bytes have left, so that nothing piles up. */
	bytes(chunk: Uint8Array): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#stream.write(chunk, (error) => (error ? reject(error) : resolve()));
		});
	}

	/** Columns of a table, as wide as they need to be; the last one is not padded. */
	table(rows: readonly (readonly string[])[]): void {
		const widths: number[] = [];
		for (const row of rows) {
			row.forEach((cell, column) => {
				widths[column] = Math.max(widths[column] ?? 0, cell.length);
			});
		}
		for (const [index, row] of rows.entries()) {
			const cells = row.map((cell, column) =>
				column === row.length - 1 ? cell : cell.padEnd(widths[column]!),
			);
			const text = cells.join("  ").trimEnd();
			this.line(index === 0 ? this.style("dim", text) : text);
		}
	}
}

/** On terminals, unless `NO_COLOR` says no; `FORCE_COLOR` decides where it is set. */
export function wantsColours(
	stream: { readonly isTTY?: boolean },
	{ FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv,
): boolean {
	if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
	if (NO_COLOR) return false;
	return stream.isTTY === true && TERM !== "dumb";
}

/** Text of somebody else on one line: it must not move the cursor or set colours. */
export function printable(text: string): string {
	return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => {
		const code = char.codePointAt(0)!.toString(16);
		return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
	});
}

/** A value on one line, cut where it gets long. */
export function shortened(text: string, charsMax = 160): string {
	return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}

export function timeOf(ms: number | null | undefined): string {
	return ms === null || ms === undefined ? "never" : new Date(ms).toISOString();
}
