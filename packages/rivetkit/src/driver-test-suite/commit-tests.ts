import type { BackendUnderTest, SuiteContext } from "./backend-under-test.ts";
import { contents, EVERYTHING, put, puts, utf8 } from "./bytes.ts";

const COMMITS_AT_ONCE = 50;

/** B1 and B2 of `ActorBackend` without a second incarnation: what a commit writes, and in which order. */
export function commitTests({ setup, expect, test }: SuiteContext): void {
	test("what a commit wrote is read as soon as it resolves", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "1" }, { record: { initialised: true } }));
		expect(await contents(backend, actor)).toEqual({ a: "1" });
	});

	const afterCrash = async (subject: BackendUnderTest): Promise<void> => {
		if (!subject.reopen) throw new Error(`${setup.name}: the backend under test has no reopen()`);
		const actor = await subject.newActor();
		await subject.backend.commit(
			actor,
			puts({ a: "1", b: "2" }, { alarmTs: 1_700_000_000_123, record: { initialised: true } }),
		);
		const again = await subject.reopen();
		try {
			const next = await again.takeOver(actor.actorId);
			expect(await contents(again.backend, next)).toEqual({ a: "1", b: "2" });
			expect((await again.backend.load(next, EVERYTHING))?.length).toBe(2);
			expect(await again.alarmOf(actor.actorId)).toBe(1_700_000_000_123);
			await again.backend.commit(next, puts({ c: "3" }));
			expect(await contents(again.backend, next)).toEqual({ a: "1", b: "2", c: "3" });
		} finally {
			await again.close();
		}
	};
	if (setup.outlivesCrashes) test("B1: what a commit wrote is there after a crash", afterCrash);

	test("operations of a batch apply in order", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "old", b: "old", c: "old", d: "old" }));
		await backend.commit(actor, {
			ops: [
				put("a", "first"),
				put("a", "second"),
				{ op: "delete", key: utf8("b") },
				{ op: "deleteRange", start: utf8("c"), end: utf8("d") },
				put("c", "after its range was deleted"),
				put("e", "never there"),
				{ op: "delete", key: utf8("e") },
				{ op: "delete", key: utf8("missing") },
			],
		});
		expect(await contents(backend, actor)).toEqual({
			a: "second",
			c: "after its range was deleted",
			d: "old",
		});
	});

	test("a range is deleted from its start to before its end, or to the end of all", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "", b: "", ba: "", c: "", d: "" }));
		await backend.commit(actor, {
			ops: [{ op: "deleteRange", start: utf8("b"), end: utf8("c") }],
		});
		expect(Object.keys(await contents(backend, actor))).toEqual(["a", "c", "d"]);
		await backend.commit(actor, { ops: [{ op: "deleteRange", start: utf8("c"), end: null }] });
		expect(Object.keys(await contents(backend, actor))).toEqual(["a"]);
		await backend.commit(actor, { ops: [{ op: "deleteRange", ...EVERYTHING }] });
		expect(await contents(backend, actor)).toEqual({});
	});

	test("B2: commits that were called without waiting apply in the order of the calls", async (subject) => {
		const { backend } = subject;
		const actors = [await subject.newActor(), await subject.newActor()];
		const commits = Array.from({ length: COMMITS_AT_ONCE }, (_, index) =>
			actors.map((actor) =>
				backend.commit(actor, {
					ops: [
						{ op: "deleteRange", start: utf8("only"), end: utf8("onlz") },
						put("last", String(index)),
						put(`only ${index}`, ""),
					],
				}),
			),
		);
		await Promise.all(commits.flat());
		const last = COMMITS_AT_ONCE - 1;
		for (const actor of actors) {
			expect(await contents(backend, actor)).toEqual({
				last: String(last),
				[`only ${last}`]: "",
			});
		}
	});

	test("the alarm is set, left alone and cleared with the batch it belongs to", async (subject) => {
		const { backend, alarmOf } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "1" }));
		expect(await alarmOf(actor.actorId)).toBe(null);
		await backend.commit(actor, { ops: [], alarmTs: 5_000 });
		expect(await alarmOf(actor.actorId)).toBe(5_000);
		await backend.commit(actor, puts({ a: "2" }));
		expect(await alarmOf(actor.actorId)).toBe(5_000);
		await backend.commit(actor, { ops: [], alarmTs: null });
		expect(await alarmOf(actor.actorId)).toBe(null);
		expect(await contents(backend, actor)).toEqual({ a: "2" });
	});
}
