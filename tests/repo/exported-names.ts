import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync } from "oxc-parser";

export interface ExportedNames {
	readonly values: ReadonlySet<string>;
	readonly types: ReadonlySet<string>;
	/** Packages of which everything is exported. */
	readonly whole: ReadonlySet<string>;
}

/** What a module exports by name, read from its source: `export *` is followed within the package. */
export function exportedNames(file: string): ExportedNames {
	const values = new Set<string>();
	const types = new Set<string>();
	const whole = new Set<string>();
	const { module, errors } = parseSync(file, readFileSync(file, "utf8"));
	if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
	for (const { entries } of module.staticExports) {
		for (const { exportName, moduleRequest, isType } of entries) {
			if (exportName.kind === "Name" && exportName.name !== null) {
				(isType ? types : values).add(exportName.name);
			} else if (moduleRequest && !moduleRequest.value.startsWith(".")) {
				whole.add(moduleRequest.value);
			} else if (moduleRequest) {
				const inner = exportedNames(join(dirname(file), moduleRequest.value));
				for (const name of inner.values) (isType ? types : values).add(name);
				for (const name of inner.types) types.add(name);
				for (const name of inner.whole) whole.add(name);
			}
		}
	}
	return { values, types, whole };
}
