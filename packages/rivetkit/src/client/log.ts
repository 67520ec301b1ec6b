/** Where the client tells of what has no caller to tell: lost listeners, unreachable servers. */
export interface ClientLog {
	warn(message: string, ...details: unknown[]): void;
	error(message: string, ...details: unknown[]): void;
}

export const consoleLog: ClientLog = {
	warn: (message, ...details) => console.warn(`[rivetkit] ${message}`, ...details),
	error: (message, ...details) => console.error(`[rivetkit] ${message}`, ...details),
};
