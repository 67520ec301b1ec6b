import { z } from "zod";
import { getEnvUniversal } from "../utils/environment.ts";

/** The levels of pino, from most to least. */
export const LogLevelSchema = z.enum([
	"trace",
	"debug",
	"info",
	"warn",
	"error",
	"fatal",
	"silent",
]);
export type LogLevel = z.infer<typeof LogLevelSchema>;

export const LOG_LEVELS: readonly LogLevel[] = LogLevelSchema.options;

/** Used when nothing says otherwise (contract: api 14.1). */
export const DEFAULT_LOG_LEVEL: LogLevel = "warn";
/** Used when the environment names a level there is not (contract: api 19). */
const LEVEL_OF_INVALID_ENV: LogLevel = "info";

let configuredLevel: LogLevel | undefined;

/** Sets the level between an explicit one and the environment's. */
export function setConfiguredLevel(level: LogLevel | undefined): void {
	configuredLevel = level;
}

/** The level by precedence: argument, configured, `RIVET_LOG_LEVEL`, `LOG_LEVEL`, `warn`. */
export function getPinoLevel(level?: LogLevel): LogLevel {
	return level ?? configuredLevel ?? levelOfEnvironment() ?? DEFAULT_LOG_LEVEL;
}

function levelOfEnvironment(): LogLevel | undefined {
	const text = getEnvUniversal("RIVET_LOG_LEVEL") || getEnvUniversal("LOG_LEVEL");
	if (!text) return undefined;
	const parsed = LogLevelSchema.safeParse(text.toLowerCase());
	return parsed.success ? parsed.data : LEVEL_OF_INVALID_ENV;
}

/** Whether lines name the part of the system they come from: `RIVET_LOG_TARGET=1`. */
export function getIncludeTarget(): boolean {
	return getEnvUniversal("RIVET_LOG_TARGET") === "1";
}

/** Whether lines carry the time: `RIVET_LOG_TIMESTAMP=1`. */
export function getIncludeTimestamp(): boolean {
	return getEnvUniversal("RIVET_LOG_TIMESTAMP") === "1";
}
