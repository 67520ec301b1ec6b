import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CommitSource, Committer } from "../../src/runtime/commit/committer.ts";
import { TurnScheduler } from "../../src/runtime/commit/turn-scheduler.ts";

/** A source whose batches are numbers, and whose commits settle when the test says so. */
class Source implements CommitSource {
	written = 0;
	taken = 0;
	durable = 0;
	rollBacks = 0;
	encodeFails = false;
	readonly inFlight: { resolve(): void; reject(error: unknown): void }[] = [];

	takeBatch() {
		if (this.encodeFails) {
			this.encodeFails = false;
			throw new Error("cannot encode");
		}
		if (this.written === this.taken) return null;
		this.taken = this.written;
		return { ops: [] };
	}
	commit() {
		return new Promise<void>((resolve, reject) => {
			this.inFlight.push({ resolve, reject });
		});
	}
	committed() {
		this.durable = this.taken;
	}
	rollBack() {
		this.rollBacks++;
		this.written = this.durable;
		this.taken = this.durable;
	}
}

function setUp() {
	const source = new Source();
	const committer = new Committer(source, new TurnScheduler());
	const log: string[] = [];
	const release = (name: string) =>
		committer.whenDurable((error) => log.push(error === undefined ? name : `${name} failed`));
	const write = () => {
		source.written++;
		committer.markDirty();
	};
	return { source, committer, log, release, write };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("committer", () => {
	it("releases at once when nothing is written", () => {
		const { log, release } = setUp();
		release("answer");
		expect(log).toEqual(["answer"]);
	});

	it("what a release asks for comes after the releases that wait already", async () => {
		const { source, committer, log, release, write } = setUp();
		write();
		committer.whenDurable(() => {
			log.push("first");
			release("asked by first");
		});
		release("second");
		await turn();
		source.inFlight[0]!.resolve();
		await turn();
		expect(log).toEqual(["first", "second", "asked by first"]);
	});

	it("cuts one batch for everything written in a turn, after its microtasks", async () => {
		const { source, log, release, write } = setUp();
		write();
		release("first");
		await Promise.resolve();
		write();
		release("second");
		expect(source.taken).toBe(0);
		await turn();
		expect(source.inFlight).toHaveLength(1);
		expect(log).toEqual([]);
		source.inFlight[0]!.resolve();
		await turn();
		expect(log).toEqual(["first", "second"]);
	});

	it("keeps one commit in flight, and puts what is written meanwhile into the next", async () => {
		const { source, log, release, write } = setUp();
		write();
		release("first");
		await turn();
		write();
		release("second");
		await turn();
		expect(source.inFlight).toHaveLength(1);
		source.inFlight[0]!.resolve();
		await turn();
		await turn();
		expect(log).toEqual(["first"]);
		expect(source.inFlight).toHaveLength(2);
		source.inFlight[1]!.resolve();
		await turn();
		expect(log).toEqual(["first", "second"]);
	});

	it("holds an answer that wrote nothing back behind a commit in flight it may have seen", async () => {
		const { source, log, release, write } = setUp();
		write();
		release("write");
		await turn();
		release("read");
		expect(log).toEqual([]);
		source.inFlight[0]!.resolve();
		await turn();
		expect(log).toEqual(["write", "read"]);
	});

	it("fails what waits and what was written since when a commit fails, and rolls back once", async () => {
		const { source, log, release, write, committer } = setUp();
		write();
		release("first");
		await turn();
		write();
		release("second");
		source.inFlight[0]!.reject(new Error("disk full"));
		await turn();
		expect(log).toEqual(["first failed", "second failed"]);
		expect(source.rollBacks).toBe(1);
		expect(committer.pending).toBe(false);
		write();
		release("third");
		await turn();
		source.inFlight[1]!.resolve();
		await turn();
		expect(log.at(-1)).toBe("third");
	});

	it("fails the turn when its batch cannot be encoded, and goes on", async () => {
		const { source, log, release, write } = setUp();
		write();
		source.encodeFails = true;
		release("bad");
		await turn();
		expect(log).toEqual(["bad failed"]);
		write();
		release("good");
		await turn();
		source.inFlight[0]!.resolve();
		await turn();
		expect(log).toEqual(["bad failed", "good"]);
	});

	it("refuses what waits when the incarnation ends", async () => {
		const { committer, log, release, write } = setUp();
		write();
		release("late");
		committer.end(() => new Error("stopping"));
		await turn();
		expect(log).toEqual(["late failed"]);
	});

	it("releases in order and never before its writes are durable, whatever the interleaving", async () => {
		const step = fc.constantFrom("write", "release", "turn", "durable", "fail");
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
				const source = new Source();
				const committer = new Committer(source, new TurnScheduler());
				const released: number[] = [];
				let asked = 0;
				let settled = 0;
				for (const next of steps) {
					if (next === "write") {
						source.written++;
						committer.markDirty();
					} else if (next === "release") {
						const number = asked++;
						const needs = source.written;
						committer.whenDurable((error) => {
							released.push(number);
							if (error === undefined) expect(source.durable).toBeGreaterThanOrEqual(needs);
						});
					} else if (next === "turn") {
						await turn();
					} else if (settled < source.inFlight.length) {
						const commit = source.inFlight[settled++]!;
						if (next === "durable") commit.resolve();
						else commit.reject(new Error("failed"));
						await turn();
					}
				}
				for (let round = 0; round < 50 && released.length < asked; round++) {
					await turn();
					while (settled < source.inFlight.length) source.inFlight[settled++]!.resolve();
				}
				expect(released).toEqual([...Array(asked).keys()]);
			}),
			{ numRuns: 150 },
		);
	});
});
