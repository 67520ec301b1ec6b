import { type Command, GENERAL_OPTIONS, type OptionSpecs, SERVER_OPTIONS } from "./command.ts";

const WIDTH = 100;

/** What `rivetkit --help` prints. */
export function generalHelp(commands: readonly Command[]): string {
	const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage}`.length));
	const rows = commands.map(
		({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`,
	);
	return [
		"Usage: rivetkit COMMAND",
		"",
		"Looks into the actors of a RivetKit server, and changes them.",
		"",
		...rows,
		"",
		"`rivetkit COMMAND --help` says more about one; `rivetkit --version` prints the version.",
		"",
		"Of every command:",
		...optionRows({ ...SERVER_OPTIONS, ...GENERAL_OPTIONS }),
		"",
		"Exit codes: 0 done, 1 failed, 2 the command line is wrong.",
		"",
	].join("\n");
}

/** What `rivetkit COMMAND --help` prints. */
export function commandHelp(command: Command): string {
	const own = optionRows(command.options);
	return [
		`Usage: rivetkit ${command.name} ${command.usage}`.trimEnd(),
		"",
		command.summary,
		...(own.length > 0 ? ["", "Options:", ...own] : []),
		"",
		"Of every command:",
		...optionRows({ ...SERVER_OPTIONS, ...GENERAL_OPTIONS }),
		...(command.details ?? []).flatMap((paragraph) => ["", paragraph]),
		"",
	].join("\n");
}

function optionRows(options: OptionSpecs): string[] {
	const heads = Object.entries(options).map(([name, { short, value }]) => {
		const long = value === undefined ? `--${name}` : `--${name} ${value}`;
		return short === undefined ? long : `-${short}, ${long}`;
	});
	const width = Math.max(0, ...heads.map((head) => head.length));
	const indent = " ".repeat(width + 4);
	return Object.values(options).flatMap(({ help }, index) => {
		const [first = "", ...rest] = wrapped(help, WIDTH - indent.length);
		return [`  ${heads[index]!.padEnd(width)}  ${first}`, ...rest.map((line) => indent + line)];
	});
}

function wrapped(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && line.length + 1 + word.length > width) {
			lines.push(line);
			line = word;
		} else {
			line = line === "" ? word : `${line} ${word}`;
		}
	}
	return [...lines, line];
}
