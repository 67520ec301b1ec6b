import type { Logger } from "../log/logger.ts";

const nothing = (): void => {};

/** The tests bring about what actors warn of, so nobody needs to read it. */
export const quietLogger: Logger = {
	trace: nothing,
	debug: nothing,
	info: nothing,
	warn: nothing,
	error: nothing,
	fatal: nothing,
	level: "silent",
	isLevelEnabled: () => false,
	child: () => quietLogger,
};
