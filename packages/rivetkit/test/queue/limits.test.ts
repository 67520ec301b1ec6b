// The limits of what a queue remembers of sends, at their boundaries (contract: lifecycle 21, L59).
import type { StorageOp } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { DedupeLog } from "../../src/runtime/queue/dedupe-log.ts";
import { KeptAnswers } from "../../src/runtime/queue/kept-answers.ts";
import {
	ANSWER_BYTES_MAX,
	ANSWERS_KEPT_MAX,
	DEDUPE_KEYS_MAX,
	DEDUPE_WINDOW_MS,
	SENDERS_WAITING_MAX,
} from "../../src/runtime/queue/limits.ts";
import { QueuedMessage } from "../../src/runtime/queue/message.ts";
import { QueueData } from "../../src/runtime/queue/queue-data.ts";
import { SenderWaits } from "../../src/runtime/queue/sender-waits.ts";
import { codeOf } from "../support/wire-http.ts";

/** Of an actor that has stored nothing. */
const EMPTY = { get: async () => [], scan: async () => [] };
const incarnation = { actorId: "actor", generation: 0 };
const header = {
	name: "a",
	size: 1,
	createdAt: 0,
	priority: 0,
	attempt: 0,
	availableAt: 0,
	expiresAt: null,
	waitKey: null,
	givenUp: null,
};

function thrownBy(run: () => void): string {
	try {
		run();
		return "ok";
	} catch (error) {
		return codeOf(error);
	}
}

describe("senders that wait", () => {
	it("are 10,000 at the most; who leaves makes room", async () => {
		const timer = { cancel() {}, restart() {} };
		let waiting = 0;
		const senders = new SenderWaits({
			now: () => 0,
			schedule: () => timer,
			waitBegan: () => waiting++,
			waitEnded: () => waiting--,
		});
		const message = new QueuedMessage(1, header, true);
		const leaver = new AbortController();
		const { signal } = new AbortController();
		const wait = { waitKey: "key", deadlineMs: null };
		for (let count = 1; count < SENDERS_WAITING_MAX; count++) {
			void senders.wait(message, { ...wait, signal });
		}
		expect(thrownBy(() => senders.assertRoom())).toBe("ok");
		const last = senders.wait(message, { ...wait, signal: leaver.signal });
		expect(thrownBy(() => senders.assertRoom())).toBe("queue.too_many_waits");
		leaver.abort(new Error("enough"));
		await expect(last).rejects.toThrow("enough");
		expect(thrownBy(() => senders.assertRoom())).toBe("ok");
		senders.answer(message, null, { status: "completed", response: null });
		expect(senders.has(message)).toBe(false);
		expect(waiting).toBe(0);
	});
});

describe("completions that are kept", () => {
	const completed = (bytes: number) =>
		({ status: "completed", response: new Uint8Array(bytes) }) as const;

	it("are 10,000 at the most: the oldest goes", () => {
		const answers = new KeptAnswers(EMPTY, incarnation);
		const keep = (index: number) => {
			answers.add(`key ${index}`, index, completed(0), 0);
			answers.take();
			answers.committed();
		};
		for (let index = 0; index < ANSWERS_KEPT_MAX; index++) keep(index);
		expect(answers.dropOld(0)).toBe(false);
		keep(ANSWERS_KEPT_MAX);
		expect(answers.dropOld(0)).toBe(true);
		expect([answers.has("key 0"), answers.has("key 1")]).toEqual([false, true]);
	});

	it("are so few also while they come: what is over goes with the end of a message", () => {
		const data = new QueueData(EMPTY, incarnation, {
			now: () => 0,
			schedule: () => ({ cancel() {}, restart() {} }),
			waitBegan() {},
			waitEnded() {},
			isDeadLetter: () => false,
			wrote() {},
		});
		const complete = (waitKey: string, bytes: number) => {
			const message = data.add({ ...header, waitKey }, new Uint8Array(1));
			data.remove(message, completed(bytes));
		};
		const commit = () => {
			data.take({ ops: [] } as never);
			data.committed();
		};
		for (let index = 0; index < ANSWERS_KEPT_MAX; index++) complete(`key ${index}`, 0);
		commit();
		for (let index = 0; index < 3; index++) complete(`more ${index}`, 0);
		const kept = ["key 2", "key 3"].map((key) => data.answers.has(key));
		expect(kept).toEqual([false, true]);
		commit();
		complete("long", ANSWER_BYTES_MAX - 1);
		commit();
		expect(["key 3", "key 4"].map((key) => data.answers.has(key))).toEqual([false, true]);
		complete("too long with it", 2);
		expect(["more 2", "long"].map((key) => data.answers.has(key))).toEqual([false, false]);
		commit();
		expect(data.answers.has("too long with it")).toBe(true);
	});

	it("are 16 MiB of responses at the most, to the byte", () => {
		const answers = new KeptAnswers(EMPTY, incarnation);
		const keep = (key: string, bytes: number) => {
			answers.add(key, bytes, completed(bytes), 0);
			answers.take();
			answers.committed();
		};
		keep("first", 1);
		keep("second", ANSWER_BYTES_MAX - 1);
		expect(answers.dropOld(0)).toBe(false);
		keep("third", 1);
		expect(answers.dropOld(0)).toBe(true);
		expect(["first", "second", "third"].map((key) => answers.has(key))).toEqual([
			false,
			true,
			true,
		]);
	});
});

/** A log over a store in memory; `land` commits what it has. */
function dedupeLog() {
	const rows = new Map<string, StorageOp>();
	const keyOf = (key: Uint8Array) => Buffer.from(key).toString("latin1");
	const log = new DedupeLog(
		{
			get: async (_actor, keys) =>
				keys.map((key) => {
					const row = rows.get(keyOf(key));
					return row?.op === "put" ? row.value : null;
				}),
			scan: async (_actor, { start, limit = Number.POSITIVE_INFINITY, reverse }) => {
				// Rows of the order; they come in ascending order.
				const found: [Uint8Array, Uint8Array][] = [];
				const all = reverse ? [...rows.values()].reverse() : rows.values();
				for (const row of all) {
					if (found.length >= limit) break;
					if (row.op !== "put" || row.key[1] !== 0x03) continue;
					if (Buffer.compare(row.key, start) >= 0) found.push([row.key, row.value]);
				}
				return found;
			},
		},
		incarnation,
	);
	const land = () => {
		for (const op of log.take()) {
			if (op.op === "put") rows.set(keyOf(op.key), op);
			else if (op.op === "delete") rows.delete(keyOf(op.key));
		}
		log.committed();
	};
	return { rows, log, land };
}

describe("dedupe keys", () => {
	it("are 100,000 at the most: the oldest is forgotten, in memory and in the store", async () => {
		const { rows, log, land } = dedupeLog();
		let nextId = 1;
		const send = async (key: string) => {
			const sent = await log.once("a", key, 0, () => ({ id: nextId++, createdAt: 0 }));
			land();
			return sent.isNew;
		};
		for (let index = 0; index < DEDUPE_KEYS_MAX; index++) await send(`key ${index}`);
		expect(rows.size).toBe(2 * DEDUPE_KEYS_MAX);
		expect(await send("key 0")).toBe(false);
		expect(await send("one more")).toBe(true);
		expect(rows.size).toBe(2 * DEDUPE_KEYS_MAX);
		expect([await send("key 1"), await send("one more")]).toEqual([false, false]);
		// It pushes out the next one.
		expect(await send("key 0")).toBe(true);
		expect(await send("key 1")).toBe(true);
	}, 30_000);

	it("that come again, and old ones that go, in one commit: none goes with what it was before", async () => {
		const { rows, log, land } = dedupeLog();
		let nextId = 1;
		const send = async (key: string, createdAt: number) => {
			const sent = await log.once("a", key, createdAt, () => ({ id: nextId++, createdAt }));
			return sent.isNew;
		};
		const [old, now] = [200, 40];
		for (let index = 0; index < old; index++) {
			await send(`old ${index}`, 0);
			land();
		}
		expect(await send("old 5", DEDUPE_WINDOW_MS)).toBe(true);
		for (let index = 1; index < now; index++) await send(`new ${index}`, DEDUPE_WINDOW_MS);
		land();
		expect(await send("old 5", DEDUPE_WINDOW_MS + 1)).toBe(false);
		expect(await send("new 39", DEDUPE_WINDOW_MS + 1)).toBe(false);
		// Almost four old ones go with each.
		expect(rows.size).toBeLessThan(2 * (old - 3 * now + now));
	});

	it("that come again after they went, and after a section was taken back meanwhile, do not go once more", async () => {
		const { log, land } = dedupeLog();
		let nextId = 1;
		const send = async (key: string, createdAt: number) => {
			const sent = await log.once("a", key, createdAt, () => ({ id: nextId++, createdAt }));
			return sent.isNew;
		};
		for (let index = 0; index < 60; index++) await send(`old ${index}`, 0);
		land();
		for (let index = 0; index < 3; index++) await send(`new ${index}`, DEDUPE_WINDOW_MS);
		const section = log.savepoint({ isRunning: true });
		await send("taken back", DEDUPE_WINDOW_MS);
		section.rewind();
		await send("new 3", DEDUPE_WINDOW_MS);
		land();
		expect(await send("old 4", DEDUPE_WINDOW_MS)).toBe(true);
		land();
		expect(await send("old 4", DEDUPE_WINDOW_MS)).toBe(false);
	});
});
