import type { ConfigIssue } from "./config-error.ts";
import { nearestName } from "./nearest-name.ts";

/** The issue of a key nobody knows, with the nearest one that somebody does. */
export function unknownKey(
	path: readonly string[],
	key: string,
	known: readonly string[],
	aliases: Readonly<Record<string, string>> = {},
): ConfigIssue {
	const nearest = Object.hasOwn(aliases, key) ? aliases[key] : nearestName(key, known);
	return {
		path,
		code: "unrecognized_keys",
		message: `unknown property "${key}"; ${nearest ? `did you mean "${nearest}"?` : `known ones are ${known.join(", ")}`}`,
	};
}
