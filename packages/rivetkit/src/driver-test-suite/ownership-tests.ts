import type { StorageBatch } from "@rivetkit/protocol";
import type { Incarnation } from "../backends/backend.ts";
import { FencedOff } from "../backends/backend.ts";
import type { BackendUnderTest, SuiteContext } from "./backend-under-test.ts";
import { contents, puts } from "./bytes.ts";
import { failureOf } from "./framework.ts";

/** One writer: what an older incarnation tries, and what destroying and discarding take with them. */
export function ownershipTests({ expect, test }: SuiteContext): void {
	const expectFenced = async (
		{ backend }: BackendUnderTest,
		actor: Incarnation,
		batch: StorageBatch,
	): Promise<void> => {
		const error = await failureOf(backend.commit(actor, batch));
		expect(error instanceof FencedOff, `FencedOff, not ${String(error)}`).toBe(true);
		expect((error as FencedOff).actorId).toBe(actor.actorId);
	};

	test("B1: an older incarnation is refused, and nothing of its batch is written", async (subject) => {
		const { backend } = subject;
		const old = await subject.newActor();
		await backend.commit(old, puts({ a: "kept" }, { alarmTs: 5 }));
		const next = await subject.takeOver(old.actorId);
		expect(next.generation > old.generation).toBe(true);
		await expectFenced(
			subject,
			old,
			puts({ a: "late", b: "late" }, { alarmTs: 9, record: { initialised: true } }),
		);
		await expectFenced(subject, old, { ops: [], destroyTs: 9 });
		expect(await contents(backend, next)).toEqual({ a: "kept" });
		await backend.commit(next, puts({ b: "of the new one" }));
		expect(await contents(backend, next)).toEqual({ a: "kept", b: "of the new one" });
		expect(await subject.alarmOf(old.actorId)).toBe(5);
		expect((await subject.takeOver(old.actorId)).initialised).toBe(false);
	});

	test("a refusal does not disturb commits that were called beside it", async (subject) => {
		const { backend } = subject;
		const old = await subject.newActor();
		const neighbour = await subject.newActor();
		const next = await subject.takeOver(old.actorId);
		const outcomes = await Promise.allSettled([
			backend.commit(next, puts({ a: "1" })),
			backend.commit(old, puts({ a: "late" })),
			backend.commit(neighbour, puts({ a: "2" })),
			backend.commit(next, puts({ b: "3" })),
		]);
		expect(outcomes.map(({ status }) => status)).toEqual([
			"fulfilled",
			"rejected",
			"fulfilled",
			"fulfilled",
		]);
		expect(await contents(backend, next)).toEqual({ a: "1", b: "3" });
		expect(await contents(backend, neighbour)).toEqual({ a: "2" });
	});

	test("what was committed before a take-over is read after it", async (subject) => {
		const { backend } = subject;
		const old = await subject.newActor();
		await backend.commit(old, puts({ a: "1" }, { record: { initialised: true } }));
		const next = await subject.takeOver(old.actorId);
		expect(next.initialised).toBe(true);
		expect(await contents(backend, next)).toEqual({ a: "1" });
	});

	test("destroying takes everything in one commit, and nobody commits any more", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "1" }, { alarmTs: 5, record: { initialised: true } }));
		await backend.commit(actor, { ...puts({ b: "2" }), destroyTs: 1_000 });
		expect(await subject.exists(actor.actorId)).toBe(false);
		expect(await contents(backend, actor)).toEqual({});
		await expectFenced(subject, actor, puts({ a: "3" }));
		expect(await contents(backend, actor)).toEqual({});
	});

	test("an actor that was never initialised is discarded with all it stored", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "1" }, { alarmTs: 5 }));
		await backend.discard(actor);
		expect(await subject.exists(actor.actorId)).toBe(false);
		expect(await contents(backend, actor)).toEqual({});
		await expectFenced(subject, actor, puts({ a: "2" }));
	});

	test("one that was initialised, or has a newer incarnation, is not discarded", async (subject) => {
		const { backend } = subject;
		const ready = await subject.newActor();
		await backend.commit(ready, puts({ a: "1" }, { record: { initialised: true } }));
		await backend.discard(ready);
		expect(await contents(backend, ready)).toEqual({ a: "1" });
		const superseded = await subject.newActor();
		await backend.commit(superseded, puts({ a: "1" }));
		const next = await subject.takeOver(superseded.actorId);
		await backend.discard(superseded);
		expect(await subject.exists(superseded.actorId)).toBe(true);
		expect(await contents(backend, next)).toEqual({ a: "1" });
	});
}
