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

/** What {@link setConfiguredLevel} was told last. */
export function getConfiguredLevel(): LogLevel | undefined {
	return configuredLevel;
}

/** The level by precedence: argument, configured, `RIVET_LOG_LEVEL`, `LOG_LEVEL`, `warn`. */
export function getPinoLevel(level?: LogLevel): LogLevel {
	return level ?? configuredLevel ?? levelOfEnvironment() ?? DEFAULT_LOG_LEVEL;
}

function levelOfEnvironment(): LogLevel | undefined {
	const found = foundInEnvironment();
	return found && (parseLevel(found.text) ?? LEVEL_OF_INVALID_ENV);
}

/** What is wrong with the level that is taken from the environment, in words; undefined when nothing is, or none is. */
export function problemOfLevel(): string | undefined {
	const found = configuredLevel === undefined ? foundInEnvironment() : undefined;
	if (found === undefined || parseLevel(found.text) !== undefined) return undefined;
	const expected = LOG_LEVELS.map((level) => `"${level}"`).join(", ");
	return (
		`${found.name}: expected one of ${expected}, found ${JSON.stringify(found.text)}; ` +
		`"${LEVEL_OF_INVALID_ENV}" is used`
	);
}

function foundInEnvironment(): { readonly name: string; readonly text: string } | undefined {
	for (const name of ["RIVET_LOG_LEVEL", "LOG_LEVEL"]) {
		const text = getEnvUniversal(name);
		if (text) return { name, text };
	}
	return undefined;
}

function parseLevel(text: string): LogLevel | undefined {
	return LogLevelSchema.safeParse(text.toLowerCase()).data;
}

/** Whether lines name the part of the system they come from: `RIVET_LOG_TARGET=1`. */
export function getIncludeTarget(): boolean {
	return getEnvUniversal("RIVET_LOG_TARGET") === "1";
}

/** Whether lines carry the time: `RIVET_LOG_TIMESTAMP=1`. */
export function getIncludeTimestamp(): boolean {
	return getEnvUniversal("RIVET_LOG_TIMESTAMP") === "1";
}
