/** What the engine logs to; a pino logger fits. */
export interface EngineLogger {
	debug(fields: Record<string, unknown>, message: string): void;
	info(fields: Record<string, unknown>, message: string): void;
	warn(fields: Record<string, unknown>, message: string): void;
	error(fields: Record<string, unknown>, message: string): void;
}

/** Warnings and errors on stderr; what an engine uses when it is given no logger. */
export const stderrLogger: EngineLogger = {
	debug: () => {},
	info: () => {},
	warn: (fields, message) => console.warn(`[rivetkit engine] ${message}`, fields),
	error: (fields, message) => console.error(`[rivetkit engine] ${message}`, fields),
};
