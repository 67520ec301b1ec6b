/** What one level of a logger accepts: a message, or fields and a message. */
export interface LogFunction {
	(message: string): void;
	(fields: object, message?: string): void;
}

/** The part of a pino logger that is used here; every pino logger has it. */
export interface Logger {
	readonly trace: LogFunction;
	readonly debug: LogFunction;
	readonly info: LogFunction;
	readonly warn: LogFunction;
	readonly error: LogFunction;
	readonly fatal: LogFunction;
	level: string;
	isLevelEnabled(level: string): boolean;
	/** A logger that adds `bindings` to each line. */
	child(bindings: Record<string, unknown>): Logger;
}
