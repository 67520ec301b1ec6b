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

	constructor(
		message: string,
		{ group, code, cause }: { group?: string; code?: string; cause?: unknown } = {},
	) {
		super(message, cause === undefined ? undefined : { cause });
		this.group = group;
		this.code = code;
	}
}

/** The command line itself is wrong. */
export class UsageError extends CommandFailed {
	override readonly name = "UsageError";
	override readonly exitCode = EXIT_USAGE;
}
