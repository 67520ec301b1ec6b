// Loads modules that only define things, one after the other: `load-examples-process.ts <module>...`. Prints as
// JSON, by module, what each one threw or null.
import { pathToFileURL } from "node:url";

const outcomes: Record<string, string | null> = {};
for (const module of process.argv.slice(2)) {
	try {
		await import(pathToFileURL(module).href);
		outcomes[module] = null;
	} catch (error) {
		outcomes[module] = error instanceof Error ? (error.stack ?? error.message) : String(error);
	}
}
console.log(JSON.stringify(outcomes));
