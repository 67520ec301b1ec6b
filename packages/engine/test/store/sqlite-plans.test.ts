import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished } from "vitest";
import { TO_RESUME } from "../../src/store/sqlite/actor-rows.ts";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

it("a start reads the actors that it resumes from two indexes, without sorting", async () => {
	const directory = temporaryDirectory();
	await (await openSqliteStore({ directory })).close();
	const tool = new DatabaseSync(`${directory}/store.sqlite`, { readOnly: true });
	onTestFinished(() => tool.close());
	const rows = tool.prepare(`EXPLAIN QUERY PLAN ${TO_RESUME}`).all("", "", 256);
	const plan = rows.map(({ detail }) => detail).join("\n");
	expect(plan).toContain("MERGE (UNION)");
	expect(plan).toContain("SEARCH actors USING COVERING INDEX actors_connected (id>?)");
	expect(plan).toContain("SEARCH actors USING INDEX actors_left_running (id>?)");
	expect(plan).not.toMatch(/SCAN|TEMP B-TREE/);
});
