import { CreateError } from "./create-error.ts";

const LENGTH_MAX = 214;

/** Throws a {@link CreateError} for what npm does not take as the name of a package. */
export function checkProjectName(name: string): void {
	const problem = problemOf(name);
	if (problem === null) return;
	throw new CreateError(`"${name}" cannot be the name of a package: ${problem}`);
}

function problemOf(name: string): string | null {
	if (name === "") return "it is empty";
	if (name.length > LENGTH_MAX) return `it is longer than ${LENGTH_MAX} characters`;
	if (name === "node_modules" || name === "favicon.ico") return "npm has reserved it";
	if (!/^[a-z0-9]/.test(name)) return "it has to begin with a lower-case letter or a digit";
	if (!/^[a-z0-9._-]+$/.test(name)) {
		return 'it may have lower-case letters, digits, "-", "_" and "."';
	}
	return null;
}
