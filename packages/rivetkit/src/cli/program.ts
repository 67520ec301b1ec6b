import { nearestName } from "../config/nearest-name.ts";
import { VERSION } from "../utils/version.ts";
import { type Command, contextOf, parseCommand } from "./command.ts";
import { call } from "./commands/call.ts";
import { destroy } from "./commands/destroy.ts";
import { exportActor } from "./commands/export.ts";
import { get } from "./commands/get.ts";
import { importActor } from "./commands/import.ts";
import { list } from "./commands/list.ts";
import { mcp } from "./commands/mcp.ts";
import { state } from "./commands/state.ts";
import { tail } from "./commands/tail.ts";
import { besides, CommandFailed, EXIT_FAILED, EXIT_OK, sentenceOf, UsageError } from "./failure.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { printable, type Streams, Terminal } from "./output/terminal.ts";

const COMMANDS: readonly Command[] = [
	list,
	get,
	call,
	state,
	tail,
	destroy,
	exportActor,
	importActor,
	mcp,
];

/** Runs one command line. Resolves with the exit code. */
export async function runProgram(argv: readonly string[], streams: Streams): Promise<number> {
	const out = new Terminal(streams.stdout, streams.env);
	const notes = new Terminal(streams.stderr, streams.env);
	try {
		await run(argv, streams, { out, notes });
		return EXIT_OK;
	} catch (error) {
		return report(error, notes, argv.includes("--json"));
	}
}

async function run(
	argv: readonly string[],
	streams: Streams,
	terminals: { readonly out: Terminal; readonly notes: Terminal },
): Promise<void> {
	const { out } = terminals;
	const [first] = argv;
	if (first === "--version" || first === "-v") {
		out.line(VERSION);
		return;
	}
	const found = findCommand(argv);
	if (found === null) {
		out.line(generalHelp(COMMANDS).trimEnd());
		return;
	}
	const parsed = parseCommand(found.command, found.rest);
	if (parsed.options.help === true) {
		out.line(commandHelp(found.command).trimEnd());
		return;
	}
	await found.command.run(contextOf(parsed, streams, terminals));
}

/** Null when the general help is asked for. Throws a {@link UsageError}. */
function findCommand(
	argv: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | null {
	const words = argv.slice(0, 2).filter((word) => !word.startsWith("-"));
	for (const command of COMMANDS) {
		const own = command.name.split(" ");
		if (own.every((word, index) => argv[index] === word)) {
			return { command, rest: argv.slice(own.length) };
		}
	}
	const [group = "", name = ""] = words;
	const inGroup = COMMANDS.filter((command) => command.name.startsWith(`${group} `));
	const asksForHelp = argv.some((word) => word === "--help" || word === "-h");
	if (group === "" || group === "help") {
		if (argv.length === 0 || asksForHelp || group === "help") return null;
		throw new UsageError(`Unknown option '${argv[0]}'; \`rivetkit --help\` shows what there is.`);
	}
	if (inGroup.length > 0 && (name === "" || name === "help")) {
		if (asksForHelp || name === "help") return null;
		throw new UsageError(
			`What about the actors? There are: ${inGroup.map((command) => `rivetkit ${command.name}`).join(", ")}.`,
		);
	}
	const typed = words.join(" ");
	const names = COMMANDS.map((command) => command.name);
	const nearest = nearestName(typed, names) ?? nearestName(`actors ${group}`, names);
	throw new UsageError(
		`There is no command '${typed}'${nearest === undefined ? "" : `; did you mean \`rivetkit ${nearest}\`?`}${nearest === undefined ? "; `rivetkit --help` shows those there are." : ""}`,
	);
}

/** Prints what went wrong. @returns the exit code */
function report(error: unknown, notes: Terminal, asJson: boolean): number {
	if (!(error instanceof CommandFailed)) {
		// Of ours: whoever mends it needs the frames.
		notes.line(error instanceof Error ? (error.stack ?? error.message) : String(error));
		return EXIT_FAILED;
	}
	const { group, code, message, metadata } = error;
	if (asJson) {
		notes.line(JSON.stringify({ error: { group, code, message, metadata } }));
	} else {
		notes.line(`${notes.style("red", "error:")} ${printable(sentenceOf(error))}`);
		const more = besides(error);
		if (more !== undefined) notes.line(notes.style("dim", printable(more)));
	}
	return error.exitCode;
}
