import { pino } from "pino";
import { BoundLogger } from "./bound-logger.ts";
import {
	getConfiguredLevel,
	getIncludeTarget,
	getIncludeTimestamp,
	getPinoLevel,
	type LogLevel,
	problemOfLevel,
	setConfiguredLevel,
} from "./levels.ts";
import { formatLogfmt, type LogRecord } from "./logfmt.ts";
import type { Logger } from "./logger.ts";

/** What an application says about logs. The logger wins over the level. */
export interface LoggingConfig {
	readonly baseLogger?: Logger | undefined;
	readonly level?: LogLevel | undefined;
}

let base: Logger | null = null;
const named = new Map<string, Logger>();

/** The logger all others come from: the configured one, or one that writes logfmt to stdout. */
export function getBaseLogger(): Logger {
	if (base === null) {
		base = createDefaultLogger();
		const problem = problemOfLevel();
		if (problem !== undefined) base.warn(problem);
	}
	return base;
}

/**
 * The logger of one part of the system, with its name as `target` when `RIVET_LOG_TARGET=1`. It follows
 * the base logger, so it may be made before that is configured.
 */
export function getLogger(name = "rivetkit"): Logger {
	let logger = named.get(name);
	if (!logger) {
		logger = new BoundLogger(getBaseLogger, getIncludeTarget() ? { target: name } : {});
		named.set(name, logger);
	}
	return logger;
}

/** Uses a logger of the application, such as a pino instance, from now on. */
export function configureBaseLogger(logger: Logger): void {
	base = logger;
}

/** Goes back to logfmt on stdout, at a level that comes before the environment's. */
export function configureDefaultLogger(level?: LogLevel): void {
	setConfiguredLevel(level);
	base = null;
}

/** As `setup({ logging })` asks; with neither of the two everything stays as it is. */
export function configureLogging({ baseLogger, level }: LoggingConfig): void {
	if (baseLogger) configureBaseLogger(baseLogger);
	else if (level) configureDefaultLogger(level);
}

interface Saved {
	readonly base: Logger | null;
	readonly level: LogLevel | undefined;
}

/** What was there before each of those who have the logger for a while, first come first. */
const borrowed: { before: Saved }[] = [];

/** As {@link configureLogging}, until what it returns is called. Whoever borrowed last has it, in whatever order they give it back. */
export function borrowLogging(config: LoggingConfig): () => void {
	// Who asks for nothing does not keep what others have asked for.
	if (!config.baseLogger && !config.level) return () => {};
	const loan = { before: { base, level: getConfiguredLevel() } };
	borrowed.push(loan);
	configureLogging(config);
	return () => {
		const index = borrowed.indexOf(loan);
		if (index < 0) return;
		borrowed.splice(index, 1);
		const later = borrowed[index];
		if (later) {
			later.before = loan.before;
			return;
		}
		base = loan.before.base;
		setConfiguredLevel(loan.before.level);
	};
}

function createDefaultLogger(): Logger {
	const withTarget = getIncludeTarget();
	return pino(
		{
			level: getPinoLevel(),
			base: null,
			timestamp: getIncludeTimestamp() && pino.stdTimeFunctions.epochTime,
			serializers: { err: serializeError, error: serializeError },
			browser: {
				asObject: true,
				write: (record) => console.log(formatLogfmt(record as LogRecord, withTarget)),
			},
		},
		{ write: (line) => writeLine(formatLogfmt(JSON.parse(line) as LogRecord, withTarget)) },
	);
}

/** Causes that a line names. */
const CAUSES_MAX = 8;

/** Its message and those of its causes, as far as they say something new. */
function messageOf(error: Error): string {
	let message = error.message;
	let { cause } = error;
	for (let depth = 0; cause instanceof Error && depth < CAUSES_MAX; depth++) {
		if (!message.includes(cause.message)) message += `: ${cause.message}`;
		({ cause } = cause);
	}
	return message;
}

/** Without the constants that every `DOMException` has and that say nothing about this one. */
function serializeError(error: Error): object {
	const serialized: object = pino.stdSerializers.err(error);
	const record = error instanceof Error ? { ...serialized, message: messageOf(error) } : serialized;
	if (!(error instanceof DOMException)) return record;
	return Object.fromEntries(Object.entries(record).filter(([name]) => !/^[A-Z_]+_ERR$/.test(name)));
}

function writeLine(line: string): void {
	const stdout = globalThis.process?.stdout;
	if (stdout) stdout.write(`${line}\n`);
	else console.log(line);
}
