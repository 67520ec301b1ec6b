import { sql } from "drizzle-orm";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { blob, db as drizzle, sqliteTable } from "../../src/db/drizzle/index.ts";
import { db } from "../../src/db/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";

// Bytes in state are proxies that native code does not take for bytes; SQL takes them as they are (api 11.1).

const state = () => ({
	bytes: new Uint8Array([1, 2, 3]),
	buffer: Buffer.from([4, 5]),
	words: new Uint16Array([0x0706]),
});

const plain = actor({
	createState: state,
	db: db(),
	actions: {
		stored: async (c) => {
			await c.db.execute("CREATE TABLE files (content BLOB)");
			const { bytes, buffer, words } = c.state;
			for (const content of [bytes, buffer, words]) {
				await c.db.execute("INSERT INTO files VALUES (?)", content);
			}
			await c.db.execute("INSERT INTO files VALUES (:content)", { content: bytes });
			bytes[0] = 9;
			const rows = await c.db.execute("SELECT hex(content) AS hex FROM files");
			return rows.map(({ hex }) => hex);
		},
	},
});

const files = sqliteTable("files", { content: blob("content", { mode: "buffer" }) });

const mapped = actor({
	createState: state,
	db: drizzle({ schema: { files } }),
	actions: {
		stored: async (c) => {
			await c.db.run(sql`CREATE TABLE files (content BLOB)`);
			await c.db.insert(files).values({ content: c.state.bytes as Buffer });
			await c.db.insert(files).values({ content: c.state.buffer });
			const rows = await c.db.select().from(files);
			return rows.map(({ content }) => Buffer.from(content!).toString("hex"));
		},
	},
});

it("bytes of the state are blobs of a statement, by position and by name", async () => {
	await using runtime = await TestRuntime.start({ plain });
	const id = await runtime.actorId("plain");
	expect((await wireAction(runtime, id, "stored")).output).toEqual([
		"010203",
		"0405",
		"0607",
		"010203",
	]);
});

it("bytes of the state are blobs of Drizzle", async () => {
	await using runtime = await TestRuntime.start({ mapped });
	const id = await runtime.actorId("mapped");
	expect((await wireAction(runtime, id, "stored")).output).toEqual(["010203", "0405"]);
});
