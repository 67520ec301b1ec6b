import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { db } from "../../src/db/index.ts";
import { Crashable } from "../queue/support/crashable.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";

// SQL of a handler is a write like any other: its plain message leaves in the same commit (lifecycle 12).

/** Messages that `run` writes into a table in one of several ways; then it waits for ever. */
function booking() {
	const scene = { seen: [] as [string, number][], actionMayEnd: new Gate() };
	const subject = actor({
		db: db({
			onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a UNIQUE)")),
		}),
		queues: { a: queue<string>() },
		options: { stateSaveInterval: 60_000 },
		run: async (c) => {
			const insert = "INSERT INTO t VALUES (?)";
			for await (const { body, attempt } of c.queue.iter()) {
				scene.seen.push([body, attempt]);
				if (body === "transaction") {
					await c.db.transaction((tx) => tx.execute(insert, body));
				} else if (body === "atomic") {
					await c.atomic(async () => {
						await c.db.execute(insert, body);
					});
				} else {
					await c.db.execute(insert, body);
				}
				await new Promise(() => {});
			}
		},
		actions: {
			/** Its batch is dirty, and stays open, when `run` gets the message. */
			writeAndSend: async (c, body: string) => {
				await c.db.execute("INSERT INTO t VALUES ('first')");
				await c.queue.send("a", body);
				await scene.actionMayEnd.passed;
			},
			/** `run` waits for this transaction with its statement. */
			holdAndSend: (c, body: string) =>
				c.db.transaction(async (tx) => {
					await tx.execute("INSERT INTO t VALUES ('first')");
					await c.queue.send("a", body);
					await scene.actionMayEnd.passed;
				}),
			rows: async (c) =>
				(await c.db.execute<{ a: string }>("SELECT a FROM t ORDER BY rowid")).map(({ a }) => a),
			add: async (c, a: string) => void (await c.db.execute("INSERT INTO t VALUES (?)", a)),
		},
	});
	return { subject, scene };
}

describe("a plain message that is written into the database", () => {
	it.each(["statement", "transaction", "atomic"])(
		"leaves the queue with that, whatever was written before: %s",
		async (body) => {
			const { subject, scene } = booking();
			await using crashable = await Crashable.start({ subject });
			const acting = crashable.call("writeAndSend", body);
			await eventually(() => expect(scene.seen).toEqual([[body, 1]]));
			scene.actionMayEnd.open();
			await acting;
			await eventually(async () => expect(await crashable.call("rows")).toEqual(["first", body]));
			await crashable.crash();
			expect(await crashable.call("rows")).toEqual(["first", body]);
			expect(await crashable.stored()).toEqual([]);
			expect(scene.seen).toHaveLength(1);
		},
	);

	it("leaves with a statement that had to wait for somebody else's transaction", async () => {
		const { subject, scene } = booking();
		await using crashable = await Crashable.start({ subject });
		const acting = crashable.call("holdAndSend", "late");
		await eventually(() => expect(scene.seen).toEqual([["late", 1]]));
		scene.actionMayEnd.open();
		await acting;
		await crashable.crash();
		expect(await crashable.call("rows")).toEqual(["first", "late"]);
		expect(await crashable.stored()).toEqual([]);
		expect(scene.seen).toHaveLength(1);
	});

	it("stays when the statement failed, and is handed out again", async () => {
		const { subject, scene } = booking();
		await using crashable = await Crashable.start({ subject });
		await crashable.call("add", "statement");
		await crashable.send("a", "statement");
		await eventually(() => expect(scene.seen.length).toBeGreaterThan(1));
		expect(scene.seen.slice(0, 2)).toEqual([
			["statement", 1],
			["statement", 2],
		]);
	});
});
