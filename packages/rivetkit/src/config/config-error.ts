import { z } from "zod";

/** One thing wrong with a configuration. */
export interface ConfigIssue {
	/** Where, from the root of the configuration. */
	readonly path: readonly (string | number)[];
	/** What was expected, what was found, and what to do. */
	readonly message: string;
	readonly code?: "invalid_type" | "unrecognized_keys" | "too_small" | "custom";
	/** Of the environment, if that is where it stands. */
	readonly variable?: string;
}

/** Variables of the environment that cannot be used: one line for each, with its name, what was found and what can be. */
export class EnvironmentError extends Error {
	override readonly name = "EnvironmentError";
	/** As those of a `ZodError`. */
	readonly issues: readonly ConfigIssue[];

	constructor(issues: readonly ConfigIssue[]) {
		super(issues.map(({ variable, message }) => `${variable}: ${message}`).join("\n"));
		this.issues = issues;
	}
}

/**
 * The error of a configuration that cannot be used: a `ZodError` (contract: api 3.2, 14.2) whose
 * message is readable text instead of JSON, one line per issue; or an {@link EnvironmentError} where nothing else is
 * wrong.
 */
export function configError(
	what: string,
	issues: readonly ConfigIssue[],
): z.ZodError | EnvironmentError {
	if (issues.every(({ variable }) => variable !== undefined)) return new EnvironmentError(issues);
	const error = new z.ZodRealError(
		issues.map(({ path, message, code }) => ({
			code: code ?? "custom",
			path: [...path],
			message,
		})) as ConstructorParameters<typeof z.ZodRealError>[0],
	);
	const lines = issues.map(
		({ path, message, variable }) =>
			`- ${formatPath(path)}${variable === undefined ? "" : ` (${variable})`}: ${message}`,
	);
	Object.defineProperty(error, "message", {
		value: `${what}:\n${lines.join("\n")}`,
		configurable: true,
	});
	return error;
}

/** `options.name`, `actions.users.add`, `queues["a b"]`; the root is `(root)`. */
export function formatPath(path: readonly PropertyKey[]): string {
	if (path.length === 0) return "(root)";
	return path
		.map((part, index) => {
			if (typeof part === "string" && /^[A-Za-z_$][\w$]*$/.test(part)) {
				return index === 0 ? part : `.${part}`;
			}
			return `[${typeof part === "string" ? JSON.stringify(part) : String(part)}]`;
		})
		.join("");
}

/** What a value is, for messages: `number -1`, `string "x"`, `array`, `function`. */
export function describeValue(value: unknown): string {
	if (value === null || value === undefined) return String(value);
	if (typeof value === "string") {
		return `string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
	}
	if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
		return `${typeof value} ${value}`;
	}
	if (Array.isArray(value)) return "array";
	return typeof value;
}
