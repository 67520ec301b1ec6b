import { type ConfigIssue, describeValue } from "../config/config-error.ts";
import { walkActions, wireName } from "./compile-actions.ts";

const EXAMPLE = "increment: (c, amount: number) => { … }";

export function* validateActions(actions: unknown): Generator<ConfigIssue> {
	if (actions === undefined) return;
	if (typeof actions !== "object" || actions === null || Array.isArray(actions)) {
		yield {
			path: ["actions"],
			code: "invalid_type",
			message: `expected an object of functions, found ${describeValue(actions)}, for example actions: { ${EXAMPLE} }`,
		};
		return;
	}
	const seen = new Map<string, readonly string[]>();
	for (const entry of walkActions(actions)) {
		const path = ["actions", ...entry.path];
		if (entry.kind === "invalid") {
			yield {
				path,
				code: "invalid_type",
				message: `expected a function, { input: schema, handler: function }, or an object of actions, found ${describeValue(entry.value)}, for example ${EXAMPLE}`,
			};
			continue;
		}
		const name = wireName(entry.path);
		const other = seen.get(name);
		if (other) {
			yield { path, message: `is called "${name}" like actions.${other.join(".")}; rename one` };
		}
		seen.set(name, entry.path);
	}
}
