/** A configuration that cannot be used; the message names the key, and where it was set. */
export class ConfigurationError extends Error {
	override readonly name = "ConfigurationError";
}

/** A command line that cannot be used. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}
