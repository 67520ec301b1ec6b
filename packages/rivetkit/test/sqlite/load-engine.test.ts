import { afterEach, expect, it, vi } from "vitest";
import { loadSqliteEngine } from "../../src/sqlite/engine/load-engine.ts";
import { codeOf } from "../support/wire-http.ts";

afterEach(() => void vi.restoreAllMocks());

function refusal(): Error {
	try {
		loadSqliteEngine();
	} catch (error) {
		return error as Error;
	}
	throw new Error("it found an engine");
}

it("a runtime without SQLite is told so, with the ways out, and nothing is remembered of it", () => {
	const builtin = vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never);
	const error = refusal();
	expect(codeOf(error)).toBe("database.unsupported_runtime");
	expect(error.message).toContain(`Node.js ${process.versions.node}`);
	expect(error.message).toMatch(
		/Node\.js 22\.13 or newer, Bun .* or Deno .*, or a database provider/,
	);
	// Where it is behind a flag, asking for it throws.
	const cause = new Error("No such built-in module: node:sqlite");
	builtin.mockImplementation(() => {
		throw cause;
	});
	expect(refusal().cause).toBe(cause);
	builtin.mockRestore();
	const connection = loadSqliteEngine().open(":memory:");
	expect(connection.prepare("SELECT 7").get([])).toEqual([7]);
	connection.close();
});
