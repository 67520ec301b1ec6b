import { ActorError } from "./errors.ts";

/** Throws `request.invalid`: what JavaScript makes of other values is taken for a name, or for no time at all. */
export function assertIs(type: "string" | "number", what: string, value: unknown): void {
	if (typeof value === type && !Number.isNaN(value)) return;
	const message = `Invalid request: the ${what} is ${String(value)}, not a ${type}`;
	throw new ActorError("request", "invalid", message);
}
