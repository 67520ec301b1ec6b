export {
	configureBaseLogger,
	configureDefaultLogger,
	getBaseLogger,
	getLogger,
} from "./base-logger.ts";
export { getIncludeTarget, getPinoLevel, type LogLevel, LogLevelSchema } from "./levels.ts";
export type { LogFunction, Logger } from "./logger.ts";
