import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@rivetkit/engine";
import { HEADER_CALL_ID } from "@rivetkit/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";

let directory: string;

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "rivetkit-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const subject = actor({
	createState: () => ({ n: 0, text: "", when: new Date(0), tags: new Set<string>() }),
	actions: {
		add: (c, by: number) => (c.state.n += by),
		fill: (c, length: number) => {
			c.state.text = "x".repeat(length);
			c.state.when.setTime(length);
			c.state.tags.add(`${length}`);
		},
		state: (c) => ({ ...c.state, text: c.state.text.length }),
		nap: (c) => c.sleep(),
		end: (c) => c.destroy(),
	},
});

const start = async () =>
	TestRuntime.start({ subject }, { store: await openSqliteStore({ directory }) });

describe("actors on the file store", () => {
	it("keep state and answered calls over a restart, and are gone when they were destroyed", async () => {
		const headers = { [HEADER_CALL_ID]: "call" };
		const first = await start();
		const kept = await first.actorId("subject", "kept");
		const ended = await first.actorId("subject", "ended");
		await wireAction(first, kept, "add", [5], { headers });
		await wireAction(first, kept, "fill", [500_000]);
		await wireAction(first, ended, "end");
		await eventually(() => expect(first.embedded.host.liveActorIds).toEqual([kept]));
		await first.embedded.close();

		await using second = await start();
		const { output } = await wireAction(second, kept, "state", [], { encoding: "cbor" });
		expect(output).toEqual({
			n: 5,
			text: 500_000,
			when: new Date(500_000),
			tags: new Set(["500000"]),
		});
		expect((await wireAction(second, kept, "add", [5], { headers })).output).toBe(5);
		expect(codeOf(await wireAction(second, ended, "state"))).toBe("actor.not_found");
		expect(await second.actorId("subject", "kept")).toBe(kept);
	});

	it("sleep and wake while others work, with many calls at once", async () => {
		await using runtime = await start();
		const ids = await Promise.all(
			Array.from({ length: 20 }, (_unused, index) => runtime.actorId("subject", `${index}`)),
		);
		for (let round = 1; round <= 3; round++) {
			const calls = ids.flatMap((id) =>
				[1, 2, 3].map((by) => wireAction(runtime, id, "add", [by])),
			);
			const napping = ids.filter((_id, index) => index % 2 === round % 2);
			await Promise.all([...calls, ...napping.map((id) => wireAction(runtime, id, "nap"))]);
			const states = await Promise.all(ids.map((id) => wireAction(runtime, id, "add", [0])));
			expect(states.map(({ output }) => output)).toEqual(ids.map(() => 6 * round));
		}
	});

	it.each(["c.destroy()", "DELETE of one that sleeps"])(
		"%s leaves a tombstone and nothing else in the file, however much there was",
		async (how) => {
			const marker = "a-secret-of-the-destroyed-actor";
			const runtime = await start();
			const id = await runtime.actorId("subject", "large");
			await wireAction(runtime, id, "add", [1]);
			// More rows than one removal takes.
			const put = { op: "put", value: Buffer.from(marker.repeat(20)) } as const;
			await runtime.store.commit({
				actorId: id,
				generation: 0,
				ops: Array.from({ length: 1_000 }, (_, index) => ({
					...put,
					key: Buffer.from([0x80, index >> 8, index & 0xff]),
				})),
			});
			const file = new DatabaseSync(join(directory, "store.sqlite"), { readOnly: true });
			const one = (sql: string) => file.prepare(sql).get() as Record<string, unknown>;
			expect(
				one("SELECT count(*) AS n FROM (SELECT key FROM kv UNION ALL SELECT key FROM cold)").n,
			).toBeGreaterThan(1_000);
			if (how === "c.destroy()") {
				await wireAction(runtime, id, "end");
				// The file tells of it before the disk has it, and the actor is stopping until then.
				await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
			} else {
				await wireAction(runtime, id, "nap");
				await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
				const answer = await fetch(`${runtime.url}/actors/${id}`, { method: "DELETE" });
				expect(answer.status).toBe(200);
			}
			await eventually(() => {
				expect(
					one("SELECT count(*) AS n FROM (SELECT key FROM kv UNION ALL SELECT key FROM cold)").n,
				).toBe(0);
				expect(one("SELECT count(*) AS n FROM removals").n).toBe(0);
			});
			expect(one("SELECT count(*) AS n FROM inputs").n).toBe(0);
			const { destroy_ts, alarm_ts } = one("SELECT * FROM actors");
			expect([typeof destroy_ts, alarm_ts]).toEqual(["number", null]);
			expect(codeOf(await wireAction(runtime, id, "state"))).toBe("actor.not_found");
			file.close();
			await runtime.embedded.close();

			const compacting = new DatabaseSync(join(directory, "store.sqlite"));
			compacting.exec("VACUUM");
			compacting.close();
			expect((await readFile(join(directory, "store.sqlite"))).includes(marker)).toBe(false);
		},
	);
});
