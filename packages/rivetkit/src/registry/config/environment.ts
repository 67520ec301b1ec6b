import type { ConfigIssue } from "../../config/config-error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The first of several variables that is set to something. */
export function envText(env: Environment, ...names: readonly string[]): string | undefined {
	for (const name of names) {
		if (env[name]) return env[name];
	}
	return undefined;
}

/** As {@link envText}, whatever the case of the names (engine 8: `RIVET__` variables). */
export function envTextAnyCase(env: Environment, ...names: readonly string[]): string | undefined {
	const wanted = names.map((name) => name.toUpperCase());
	const found = Object.keys(env)
		.filter((name) => env[name] && wanted.includes(name.toUpperCase()))
		.sort((a, b) => wanted.indexOf(a.toUpperCase()) - wanted.indexOf(b.toUpperCase()));
	return found.length === 0 ? undefined : env[found[0]!];
}

export function envFlag(env: Environment, name: string): boolean {
	return env[name] === "1";
}

/** A whole number within bounds; anything else is an issue at `path` that names the variable. */
export function envNumber(
	env: Environment,
	name: string,
	path: readonly string[],
	issues: ConfigIssue[],
	{ min, max }: { readonly min: number; readonly max: number },
): number | undefined {
	const text = envText(env, name);
	if (text === undefined) return undefined;
	const value = text.trim() === "" ? Number.NaN : Number(text);
	if (Number.isInteger(value) && value >= min && value <= max) return value;
	const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
	issues.push({
		path,
		code: "invalid_type",
		variable: name,
		message: `expected a whole number ${range}, found ${JSON.stringify(text)}`,
	});
	return undefined;
}

/** "dev" of the contract (api 14.1). */
export function isDevelopment(env: Environment): boolean {
	return env.NODE_ENV !== "production";
}
