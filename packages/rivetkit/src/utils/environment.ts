/** One variable of the process's environment; undefined where it is not set or there is none. */
export function getEnvUniversal(key: string): string | undefined {
	// Deno before its Node compatibility, and browsers with a bundler's process shim, have no full one.
	const fromProcess = globalThis.process?.env?.[key];
	if (fromProcess !== undefined) return fromProcess;
	const deno = (globalThis as { Deno?: { env?: { get(key: string): string | undefined } } }).Deno;
	return deno?.env?.get(key);
}
