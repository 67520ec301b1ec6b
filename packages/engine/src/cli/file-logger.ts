import { mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import { type Clock, systemClock } from "@rivetkit/protocol";
import { type EngineLogger, stderrLogger } from "../common/logger.ts";
import { ConfigurationError } from "./configuration-error.ts";

const FILE = "rivet-engine.log";

/**
 * Warnings and errors at the end of `rivet-engine.log` in a directory, which is made. What cannot be written goes to
 * stderr. Throws a {@link ConfigurationError}.
 */
export function fileLogger(directory: string, clock: Clock = systemClock()): EngineLogger {
	const file = openLog(directory);
	const writer =
		(level: "warn" | "error"): EngineLogger["warn"] =>
		(fields, message) => {
			const time = new Date(clock.now()).toISOString();
			try {
				writeSync(file, `${format(`${time} ${level} ${message}`, fields)}\n`);
			} catch (error) {
				stderrLogger.error({ err: error }, "the log of logs.redirect_logs_dir cannot be written");
				stderrLogger[level](fields, message);
			}
		};
	return { debug() {}, info() {}, warn: writer("warn"), error: writer("error") };
}

function openLog(directory: string): number {
	try {
		mkdirSync(directory, { recursive: true });
		return openSync(join(directory, FILE), "a");
	} catch (error) {
		throw new ConfigurationError(`logs.redirect_logs_dir: ${(error as Error).message}`, {
			cause: error,
		});
	}
}
