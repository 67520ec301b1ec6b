import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { UsageError } from "./failure.ts";
import type { Streams, Terminal } from "./output/terminal.ts";
import { Server } from "./server/server.ts";
import { serverSettings } from "./server/settings.ts";

export interface OptionSpec {
	readonly type: "string" | "boolean";
	readonly short?: string;
	/** What stands for the value in the help; absent for flags. */
	readonly value?: string;
	readonly help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export type OptionValues<Specs extends OptionSpecs> = {
	readonly [Name in keyof Specs]?: Specs[Name]["type"] extends "boolean" ? boolean : string;
};

/** What a command runs with. */
export interface CommandContext<Specs extends OptionSpecs = OptionSpecs> {
	readonly positionals: readonly string[];
	readonly options: OptionValues<Specs> & { readonly json?: boolean };
	readonly out: Terminal;
	/** For what is not the result: notes, questions. */
	readonly notes: Terminal;
	readonly streams: Streams;
	readonly server: Server;
}

export interface Command<Specs extends OptionSpecs = OptionSpecs> {
	/** `actors list`. */
	readonly name: string;
	readonly summary: string;
	/** Positional arguments as the help shows them. */
	readonly usage: string;
	/** How many positional arguments there may be. */
	readonly arity: readonly [least: number, most: number];
	readonly options: Specs;
	/** Paragraphs below the options. */
	readonly details?: readonly string[];
	run(context: CommandContext<Specs>): Promise<void>;
}

/** Infers the options' types. */
export function command<const Specs extends OptionSpecs>(spec: Command<Specs>): Command {
	return spec as unknown as Command;
}

export const SERVER_OPTIONS = {
	endpoint: {
		type: "string",
		value: "URL",
		help: "where the server is, as http://[NAMESPACE[:TOKEN]@]HOST[:PORT][/PATH]; RIVET_ENDPOINT, else http://127.0.0.1:6420",
	},
	namespace: { type: "string", value: "NAME", help: "RIVET_NAMESPACE, else default" },
	token: {
		type: "string",
		value: "TOKEN",
		help: "of the management API; RIVET_TOKEN, which other users of this machine cannot see in the list of processes",
	},
	"inspector-token": {
		type: "string",
		value: "TOKEN",
		help: "of the inspector; RIVET_INSPECTOR_TOKEN",
	},
} as const satisfies OptionSpecs;

export const GENERAL_OPTIONS = {
	json: { type: "boolean", help: "print JSON, for programs" },
	help: { type: "boolean", short: "h", help: "print this" },
} as const satisfies OptionSpecs;

export interface ParsedCommand {
	readonly positionals: readonly string[];
	readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

/** Reads what follows a command's name. Throws a {@link UsageError}. */
export function parseCommand(spec: Command, argv: readonly string[]): ParsedCommand {
	const options: OptionSpecs = { ...spec.options, ...SERVER_OPTIONS, ...GENERAL_OPTIONS };
	const config: ParseArgsOptionsConfig = {};
	for (const [name, { type, short }] of Object.entries(options)) {
		config[name] = short === undefined ? { type } : { type, short };
	}
	const parsed = parsedArgs(spec, argv, config);
	if (parsed.options.help === true) return parsed;
	const [least, most] = spec.arity;
	const { length } = parsed.positionals;
	if (length < least) throw usage(spec, "An argument is missing");
	if (length > most) throw usage(spec, `Unexpected argument '${parsed.positionals[most]}'`);
	return parsed;
}

function parsedArgs(
	spec: Command,
	argv: readonly string[],
	options: ParseArgsOptionsConfig,
): ParsedCommand {
	try {
		const { values, positionals } = parseArgs({
			args: argv.map(shielded),
			options,
			allowPositionals: true,
			strict: true,
		});
		return {
			positionals: positionals.map(unshielded),
			options: Object.fromEntries(
				Object.entries(values as ParsedCommand["options"]).map(([name, value]) => [
					name,
					typeof value === "string" ? unshielded(value) : value,
				]),
			),
		};
	} catch (error) {
		const { message, code } = error as NodeJS.ErrnoException;
		if (!code?.startsWith("ERR_PARSE_ARGS")) throw error;
		throw usage(spec, unshielded(message.split(/\.(?: |$)/, 1)[0]!));
	}
}

// Arguments of actions may be negative numbers, which look like options.
const SHIELD = "\u0000";

function shielded(argument: string): string {
	return /^-[\d.]/.test(argument) ? SHIELD + argument : argument;
}

function unshielded(argument: string): string {
	return argument.replaceAll(SHIELD, "");
}

function usage(spec: Command, problem: string): UsageError {
	const form = ["rivetkit", spec.name, spec.usage, ...Object.entries(spec.options).map(optionForm)];
	return new UsageError(
		`${problem}; the form is: ${form.filter((part) => part !== "").join(" ")} (rivetkit ${spec.name} --help says more).`,
	);
}

function optionForm([name, { value }]: [string, OptionSpec]): string {
	return value === undefined ? `[--${name}]` : `[--${name} ${value}]`;
}

/** What a command runs with. Throws a {@link UsageError}. */
export function contextOf(
	{ positionals, options }: ParsedCommand,
	streams: Streams,
	terminals: { readonly out: Terminal; readonly notes: Terminal },
): CommandContext {
	return {
		positionals,
		options: options as CommandContext["options"],
		streams,
		...terminals,
		server: new Server(serverSettings(options as Record<string, string>, streams.env)),
	};
}

/** A whole number. Throws a {@link UsageError}. */
export function countOption(
	name: string,
	text: string | undefined,
	{ otherwise, least, most }: { otherwise: number; least: number; most: number },
): number {
	if (text === undefined) return otherwise;
	const value = Number(text);
	if (/^\d+$/.test(text) && value >= least && value <= most) return value;
	throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, got '${text}'.`);
}

/** One of several words. Throws a {@link UsageError}. */
export function choiceOption<T extends string>(
	name: string,
	text: string | undefined,
	choices: readonly T[],
): T | undefined {
	if (text === undefined) return undefined;
	const found = choices.find((choice) => choice === text);
	if (found !== undefined) return found;
	throw new UsageError(`--${name} must be one of ${choices.join(", ")}, got '${text}'.`);
}
