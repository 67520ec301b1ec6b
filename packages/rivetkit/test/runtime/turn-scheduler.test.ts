import { describe, expect, it } from "vitest";
import { TurnScheduler } from "../../src/runtime/commit/turn-scheduler.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp() {
	const log: string[] = [];
	const time = { ms: 0 };
	const turns = new TurnScheduler(
		() => log.push("end"),
		() => time.ms,
	);
	const job = (name: string) => ({ endOfTurn: () => void log.push(name) });
	const commitTakes = (ms: number) => {
		const begunMs = time.ms;
		time.ms += ms;
		expect(turns.commitEnded(begunMs)).toBe(time.ms);
	};
	return { turns, log, time, job, commitTakes };
}

describe("turn scheduler", () => {
	it("runs the jobs of a turn in order, then tells that the turn is over", async () => {
		const { turns, log, job } = setUp();
		turns.request(job("one"));
		turns.request(job("two"));
		await Promise.resolve();
		expect(log).toEqual([]);
		await turn();
		expect(log).toEqual(["one", "two", "end"]);
		await turn();
		expect(log).toEqual(["one", "two", "end"]);
	});

	it("what is asked for the next turn runs one turn later, behind nothing of its own turn", async () => {
		const { turns, log, job } = setUp();
		turns.requestNext(job("later"));
		turns.request(job("now"));
		await turn();
		expect(log).toEqual(["now", "end"]);
		await turn();
		expect(log).toEqual(["now", "end", "later", "end"]);
	});

	it("a turn is overdue once its jobs wait for longer than commits take", async () => {
		const { turns, time, job, commitTakes } = setUp();
		for (let index = 0; index < 200; index++) commitTakes(5);
		time.ms += 1_000;
		expect(turns.isOverdue).toBe(false);
		turns.request(job("cut"));
		time.ms += 4.9;
		expect(turns.isOverdue).toBe(false);
		time.ms += 0.2;
		expect(turns.isOverdue).toBe(true);
		await turn();
		expect(turns.isOverdue).toBe(false);
	});

	it("a turn has a fifth of a millisecond however fast commits are", () => {
		const { turns, time, job, commitTakes } = setUp();
		for (let index = 0; index < 200; index++) commitTakes(0.001);
		turns.request(job("cut"));
		time.ms += 0.19;
		expect(turns.isOverdue).toBe(false);
		time.ms += 0.02;
		expect(turns.isOverdue).toBe(true);
	});
});
