import { toJson } from "./output/exact-json.ts";

/** Exit codes of the command. */
export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** What the user is told: one sentence, with what to do about it. */
export class CommandFailed extends Error {
	override readonly name: string = "CommandFailed";
	readonly exitCode: number = EXIT_FAILED;
	/** Of the server's error, where it had one. */
	readonly group: string | undefined;
	readonly code: string | undefined;
	/** What the server's error carries besides; undefined for nothing. */
	readonly metadata: unknown;

	constructor(
		message: string,
		{
			group,
			code,
			metadata,
			cause,
		}: { group?: string; code?: string; metadata?: unknown; cause?: unknown } = {},
	) {
		super(message, cause === undefined ? undefined : { cause });
		this.group = group;
		this.code = code;
		this.metadata = metadata;
	}
}

/** The command line itself is wrong. */
export class UsageError extends CommandFailed {
	override readonly name = "UsageError";
	override readonly exitCode = EXIT_USAGE;
}

/** The message as a sentence: words of others may have no end. */
export function sentenceOf({ message }: CommandFailed): string {
	return /[.!?…]$/.test(message) ? message : `${message}.`;
}

/** What the error carries that its message does not say anyway, as JSON; undefined for nothing. */
export function besides({ message, metadata }: CommandFailed): string | undefined {
	const says = (part: unknown): boolean =>
		typeof part === "object" && part !== null
			? Object.values(part).every(says)
			: message.includes(String(part));
	return metadata === undefined || says(metadata) ? undefined : toJson(metadata);
}
