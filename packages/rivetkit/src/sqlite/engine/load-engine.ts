import { catalogueError } from "@rivetkit/protocol";
import { type BunDatabaseClass, bunEngine } from "./bun-engine.ts";
import type { SqliteEngine } from "./engine.ts";
import { type NodeDatabaseClass, nodeEngine } from "./node-engine.ts";

let loaded: SqliteEngine | null = null;

/**
 * The SQLite engine built into this runtime: `node:sqlite` on Node and Deno, `bun:sqlite` on Bun. Loaded
 * here and not by an import statement, because a missing built-in module would make the whole package
 * fail to load. Throws `database.unsupported_runtime` when there is none.
 */
export function loadSqliteEngine(): SqliteEngine {
	loaded ??= load();
	return loaded;
}

function load(): SqliteEngine {
	const isBun = "Bun" in globalThis;
	let cause: unknown;
	try {
		const builtin = process.getBuiltinModule?.(isBun ? "bun:sqlite" : "node:sqlite") as unknown as
			| Record<string, unknown>
			| undefined;
		if (isBun && builtin?.Database) return bunEngine(builtin.Database as BunDatabaseClass);
		if (builtin?.DatabaseSync) return nodeEngine(builtin.DatabaseSync as NodeDatabaseClass);
	} catch (error) {
		cause = error;
	}
	throw catalogueError("database.unsupported_runtime", { runtime: runtimeName() }, { cause });
}

function runtimeName(): string {
	const { versions } = process;
	if (versions.bun !== undefined) return `Bun ${versions.bun}`;
	return versions.deno === undefined ? `Node.js ${versions.node}` : `Deno ${versions.deno}`;
}
