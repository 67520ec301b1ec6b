import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CreateError } from "./create-error.ts";

/** A kind of project. */
export interface Template {
	/** What `--template` takes: `hello-world`, `chat`, `react`, `next`, `queue`, `workflow`. */
	readonly name: string;
	readonly title: string;
	/** What the project is, in half a sentence. */
	readonly hint: string;
	readonly folder: string;
}

/** In the order in which they are offered. */
const NAMES = ["hello-world", "chat", "react", "next", "queue", "workflow"];
/** What is known of a template, beside its files. */
export const TEMPLATE_FILE = "template.json";

/** Where the templates are once this package is built. */
export function shippedTemplates(): string {
	return join(import.meta.dirname, "templates");
}

/** The templates of this package. @param folder - default: where this package has them */
export function readTemplates(folder: string = shippedTemplates()): Template[] {
	const others = readdirSync(folder).filter((name) => !NAMES.includes(name));
	return [...NAMES, ...others]
		.filter((name) => existsSync(join(folder, name, TEMPLATE_FILE)))
		.map((name) => {
			const text = readFileSync(join(folder, name, TEMPLATE_FILE), "utf8");
			const { title, hint } = JSON.parse(text) as { title: string; hint: string };
			return { name, title, hint, folder: join(folder, name) };
		});
}

/** Throws a {@link CreateError} that lists them when there is none of this name. */
export function findTemplate(templates: readonly Template[], name: string): Template {
	const found = templates.find((template) => template.name === name);
	if (found) return found;
	const names = templates.map((template) => template.name).join(", ");
	throw new CreateError(`There is no template "${name}"; there are ${names}`);
}
