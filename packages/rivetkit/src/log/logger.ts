/** What one level of a logger accepts: a message, or fields and a message; `%s`, `%d`, `%o` fill in. */
export interface LogFunction {
	(message: string, ...values: unknown[]): void;
	(fields: object, message?: string, ...values: unknown[]): void;
}

/** A pino-style logger: what `c.log` is, and what any pino logger can stand in for. */
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
