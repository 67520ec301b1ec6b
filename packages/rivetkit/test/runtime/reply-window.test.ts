import { encodeCbor, type StorageOp } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { CallLog, type Outcome } from "../../src/runtime/calls/call-log.ts";
import { replyKey, replySequence } from "../../src/runtime/calls/reply-layout.ts";
import {
	REPLIES_MAX,
	REPLY_AGE_MS,
	REPLY_BYTES_MAX,
	REPLY_KEPT_BYTES_MAX,
	type Reply,
	ReplyWindow,
} from "../../src/runtime/calls/reply-window.ts";
import { FakeClock } from "../support/fake-clock.ts";

const CLOCK = new FakeClock(0);
/** Of an actor that writes nothing. */
const COMMITS = { batchCount: 0, dirty: false, markDirty() {} };
const ok = (value: unknown): Reply => ({ ok: true, output: encodeCbor(value) });

const ignore = (): void => {};

/** What a store would hold after the operations. */
function store(entries: Map<number, Uint8Array>, ops: readonly StorageOp[]): void {
	for (const op of ops) {
		if (op.op === "put") entries.set(replySequence(op.key), op.value);
		else if (op.op === "delete") entries.delete(replySequence(op.key));
	}
}

function takeOps(window: ReplyWindow): StorageOp[] {
	const ops: StorageOp[] = [];
	window.take(ops);
	return ops;
}

const entriesOf = (stored: Map<number, Uint8Array>) =>
	[...stored].map(([sequence, value]) => [replyKey(sequence), value] as const);

describe("reply window", () => {
	it("remembers answers across an incarnation, once they were committed", () => {
		const stored = new Map<number, Uint8Array>();
		const window = new ReplyWindow();
		window.add("a", ok(1), 0);
		window.add("b", ok({ two: 2n }), 0);
		store(stored, takeOps(window));
		window.committed();
		const next = new ReplyWindow();
		next.load(entriesOf(stored), 10);
		expect(next.get("a")).toEqual(ok(1));
		expect(next.get("b")).toEqual(ok({ two: 2n }));
		expect(next.get("c")).toBeUndefined();
	});

	it("forgets the answers of a commit that failed, and those given since", () => {
		const window = new ReplyWindow();
		window.add("committed", ok(0), 0);
		takeOps(window);
		window.committed();
		window.add("failed", ok(1), 0);
		takeOps(window);
		window.add("later", ok(2), 0);
		window.rollBack();
		expect(window.get("committed")).toBeDefined();
		expect(window.get("failed")).toBeUndefined();
		expect(window.get("later")).toBeUndefined();
		expect(takeOps(window).filter(({ op }) => op === "put")).toEqual([]);
	});

	it("holds on to no answer it has forgotten, however long nothing is committed", () => {
		const window = new ReplyWindow();
		for (let call = 0; call < 3 * REPLIES_MAX; call++) window.add(`read ${call}`, ok(call), 0);
		expect(window.size).toBe(REPLIES_MAX);
		expect(window.unstoredCount).toBe(REPLIES_MAX);
	});

	it("deletes an entry nobody needs although the first commit of the deletion failed", () => {
		const stored = new Map<number, Uint8Array>();
		const window = new ReplyWindow();
		window.add("old", ok(1), 0);
		store(stored, takeOps(window));
		window.committed();
		window.add("new", ok(2), REPLY_AGE_MS + 1);
		takeOps(window);
		window.rollBack();
		store(stored, takeOps(window));
		expect(stored.size).toBe(0);
	});

	it("holds at most its number of answers, and deletes stored entries nobody needs", () => {
		const stored = new Map<number, Uint8Array>();
		const window = new ReplyWindow();
		for (let call = 0; call < REPLIES_MAX + 500; call++) {
			window.add(`call ${call}`, ok(call), 0);
			store(stored, takeOps(window));
			window.committed();
		}
		store(stored, takeOps(window));
		expect(window.size).toBe(REPLIES_MAX);
		expect(stored.size).toBe(REPLIES_MAX);
		expect(window.get("call 0")).toBeUndefined();
		expect(window.get(`call ${REPLIES_MAX + 499}`)).toBeDefined();
	});

	it("drops what is older than its age, also on load", () => {
		const stored = new Map<number, Uint8Array>();
		const window = new ReplyWindow();
		window.add("old", ok(1), 0);
		store(stored, takeOps(window));
		window.committed();
		window.add("new", ok(2), REPLY_AGE_MS + 1);
		expect(window.get("old")).toBeUndefined();
		const next = new ReplyWindow();
		next.load(entriesOf(stored), REPLY_AGE_MS + 1);
		expect(next.size).toBe(0);
		store(stored, takeOps(next));
		expect(stored.size).toBe(0);
	});
});

describe("call log", () => {
	const outcome = (output: unknown): Outcome => ({ ok: true, output });

	it("runs an identified call once, and gives every caller the same answer", () => {
		const calls = new CallLog(COMMITS);
		const settles: ((outcome: Outcome) => void)[] = [];
		const answers: Outcome[] = [];
		const call = () =>
			calls.once(
				"id",
				CLOCK,
				(settle) => settles.push(settle),
				(answer) => answers.push(answer),
			);
		call();
		call();
		expect(settles).toHaveLength(1);
		expect(answers).toEqual([]);
		settles[0]!(outcome([1, "x"]));
		call();
		expect(settles).toHaveLength(1);
		expect(answers).toEqual([outcome([1, "x"]), outcome([1, "x"]), outcome([1, "x"])]);
	});

	it("remembers errors as they were told", () => {
		const calls = new CallLog(COMMITS);
		const error = { group: "user", code: "no", message: "no", metadata: 0, statusCode: 400 };
		const answers: Outcome[] = [];
		for (let round = 0; round < 2; round++) {
			calls.once(
				"id",
				CLOCK,
				(settle) => settle({ ok: false, error }),
				(answer) => answers.push(answer),
			);
		}
		expect(answers).toEqual([
			{ ok: false, error },
			{ ok: false, error },
		]);
	});

	/** What is told of a call that fails like this, and of its repetition; whether that ran again. */
	function repeated(message: string, metadata: unknown, dirty: boolean) {
		const calls = new CallLog({ ...COMMITS, dirty });
		const error = { group: "user", code: "no", message, metadata, statusCode: 400 };
		const answers: Outcome[] = [];
		let runs = 0;
		for (let round = 0; round < 2; round++) {
			calls.once(
				"id",
				CLOCK,
				(settle) => {
					runs++;
					settle({ ok: false, error });
				},
				(answer) => answers.push(answer),
			);
		}
		expect(answers[0]).toEqual({ ok: false, error });
		const [, again] = answers as { error: typeof error }[];
		return { runs, again: again!.error, error };
	}

	it("remembers of an error over 16 KiB what it was, without its metadata", () => {
		const large = repeated("no", { text: "x".repeat(REPLY_KEPT_BYTES_MAX) }, true);
		expect(large).toMatchObject({ runs: 1, again: { ...large.error, metadata: undefined } });
		const long = repeated("ü".repeat(100_000), 1, true);
		expect(long).toMatchObject({ runs: 1, again: { group: "user", code: "no", statusCode: 400 } });
		expect(long.again.message.length).toBeLessThan(5_000);
		const small = repeated("no", { text: "x".repeat(REPLY_KEPT_BYTES_MAX - 1_000) }, true);
		expect(small).toMatchObject({ runs: 1, again: small.error });
	});

	it("runs a call again that failed with an error over 16 KiB and wrote nothing", () => {
		const { runs, again, error } = repeated("no", "x".repeat(REPLY_KEPT_BYTES_MAX), false);
		expect([runs, again]).toEqual([2, error]);
	});

	it("holds at most its number of bytes, of errors with their metadata as of outputs", () => {
		const calls = new CallLog({ ...COMMITS, dirty: true });
		const metadata = "x".repeat(16_000);
		const count = 100;
		for (let call = 0; call < count; call++) {
			const error = { group: "user", code: "no", message: "no", metadata, statusCode: 400 };
			calls.once(`${call}`, CLOCK, (settle) => settle({ ok: false, error }), ignore);
		}
		expect(calls.window!.size).toBe(Math.floor(REPLY_BYTES_MAX / 16_100));
		const ops: StorageOp[] = [];
		calls.window!.take(ops);
		const [op] = ops as { value: Uint8Array }[];
		expect(op!.value.byteLength).toBeLessThan(REPLY_BYTES_MAX + 10_000);
	});

	it("remembers an error as it was, whatever becomes of its metadata", () => {
		const calls = new CallLog({ ...COMMITS, dirty: true });
		const metadata: { n: number; f?: () => void } = { n: 1 };
		const error = { group: "user", code: "no", message: "no", metadata, statusCode: 400 };
		calls.once("id", CLOCK, (settle) => settle({ ok: false, error }), ignore);
		metadata.n = 2;
		metadata.f = () => {};
		expect(() => calls.window!.take([])).not.toThrow();
		expect(calls.outcome("id")).toMatchObject({ error: { metadata: { n: 1 } } });
	});

	it("runs a call again that was refused before anything of it was run", () => {
		const calls = new CallLog(COMMITS);
		const error = { group: "actor", code: "stopping", message: "", metadata: 0, statusCode: 400 };
		const answers: Outcome[] = [];
		calls.once(
			"id",
			CLOCK,
			(_settle, refuse) => refuse({ ok: false, error }),
			(answer) => answers.push(answer),
		);
		calls.once(
			"id",
			CLOCK,
			(settle) => settle(outcome("ran")),
			(answer) => answers.push(answer),
		);
		expect(answers).toEqual([{ ok: false, error }, outcome("ran")]);
	});

	it("runs a call again, for who repeats it, that failed after its caller had left and wrote nothing", () => {
		const calls = new CallLog(COMMITS);
		const error = { group: "x", code: "gone", message: "", metadata: 0, statusCode: 500 };
		const settles: ((outcome: Outcome) => void)[] = [];
		const answers: [caller: string, outcome: Outcome][] = [];
		const call = (caller: string) =>
			calls.once(
				"id",
				CLOCK,
				(settle) => settles.push(settle),
				(answer) => answers.push([caller, answer]),
			);
		for (const caller of ["first", "second", "third"]) call(caller);
		const gone = { ok: false, error, callerLeft: true } as const;
		settles[0]!(gone);
		expect(answers).toEqual([["first", gone]]);
		expect(settles).toHaveLength(2);
		settles[1]!(outcome("ran"));
		call("fourth");
		expect(answers.slice(1)).toEqual(
			["second", "third", "fourth"].map((caller) => [caller, outcome("ran")]),
		);
		expect(settles).toHaveLength(2);
	});

	it("asks for a commit of an answer whose effects may be stored already", () => {
		let asked = 0;
		const commits = { batchCount: 0, dirty: false, markDirty: () => void asked++ };
		const calls = new CallLog(commits);
		const settles: ((outcome: Outcome) => void)[] = [];
		const call = (id: string) =>
			calls.once(
				id,
				CLOCK,
				(settle) => settles.push(settle),
				() => {},
			);
		call("no batch meanwhile");
		settles[0]!(outcome(1));
		expect(asked).toBe(0);
		call("a batch meanwhile");
		commits.batchCount++;
		settles[1]!(outcome(2));
		expect(asked).toBe(1);
	});
});
