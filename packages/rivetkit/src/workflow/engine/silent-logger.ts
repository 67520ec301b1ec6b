import type { Logger } from "../../log/logger.ts";

/** A logger that says nothing, for code that runs again. */
export function silent(log: Logger): Logger {
	const nothing = () => {};
	return {
		trace: nothing,
		debug: nothing,
		info: nothing,
		warn: nothing,
		error: nothing,
		fatal: nothing,
		level: log.level,
		isLevelEnabled: () => false,
		child: () => silent(log),
	};
}
