import { ConfigurationError } from "./configuration-error.ts";

const PREFIX = "RIVET__";
const SEPARATOR = "__";

/** `guard.port` as `RIVET__GUARD__PORT`. */
export function variableOf(path: readonly PropertyKey[]): string {
	return PREFIX + path.map((part) => String(part).toUpperCase()).join(SEPARATOR);
}

/** `RIVET__GUARD__PORT=1` as `{ guard: { port: "1" } }`; case does not matter. Throws a {@link ConfigurationError}. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): object {
	const tree = newBranch();
	for (const [name, value] of Object.entries(env)) {
		const upper = name.toUpperCase();
		if (!upper.startsWith(PREFIX) || value === undefined) continue;
		if (value === "") {
			throw new ConfigurationError(`${name} is empty; give it a value, or unset it`);
		}
		const path = upper.slice(PREFIX.length).toLowerCase().split(SEPARATOR);
		const last = path.pop()!;
		let at = tree;
		for (const [index, key] of path.entries()) {
			at[key] ??= newBranch();
			if (typeof at[key] === "string") throw bothSet(variableOf(path.slice(0, index + 1)), name);
			at = at[key];
		}
		if (typeof at[last] === "object") throw bothSet(name, `${variableOf([...path, last])}__…`);
		at[last] = value;
	}
	return tree;
}

type Branch = { [key: string]: Branch | string };

/** Without a prototype: any word may be a key. */
function newBranch(): Branch {
	return Object.create(null) as Branch;
}

function bothSet(value: string, below: string): ConfigurationError {
	return new ConfigurationError(`${value} is a value, and ${below} is below it; unset one of them`);
}
