import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished, vi } from "vitest";
import { resumeLeftActors } from "../../src/runners/left-actors.ts";
import { TO_RESUME } from "../../src/store/sqlite/actor-rows.ts";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { newActor } from "./fixtures.ts";
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

it("what an engine has left is looked after without sorting, nor reading an actor twice", async () => {
	const directory = temporaryDirectory();
	const store = await openSqliteStore({ directory });
	onTestFinished(() => store.close());
	for (let createTs = 0; createTs < 1_001; createTs++) {
		await store.insertActor(newActor({ createTs }));
	}
	await store.sync();
	const prepare = vi.spyOn(DatabaseSync.prototype, "prepare");
	onTestFinished(() => prepare.mockRestore());
	const noted = () => {};
	await resumeLeftActors("default", {
		store,
		clock: new TestClock(),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		isPlaced: () => false,
		place: async () => "begun",
		isClosing: () => false,
	});
	const queries = prepare.mock.calls.map(([sql]) => sql).filter((sql) => /LIMIT \?$/.test(sql));
	prepare.mockRestore();
	expect(queries).toHaveLength(2);
	const tool = new DatabaseSync(`${directory}/store.sqlite`, { readOnly: true });
	onTestFinished(() => tool.close());
	for (const query of queries) {
		const values = [...query].filter((character) => character === "?").map(() => "");
		const rows = tool.prepare(`EXPLAIN QUERY PLAN ${query}`).all(...values);
		const plan = rows.map(({ detail }) => detail).join("\n");
		expect(plan).toContain("SEARCH actors USING INDEX actors_newest (namespace=? AND name=?");
		expect(plan).not.toMatch(/SCAN|TEMP B-TREE/);
	}
});
