import { describe, expect, it } from "vitest";
import { WorkLedger } from "../../src/runtime/instance/work-ledger.ts";

const NOBODY = { fellIdle: () => {} };

const KINDS = [
	"action",
	"scheduled",
	"request",
	"sender",
	"guard",
	"onDisconnect",
	"socketListener",
	"keepAwake",
	"socket",
	"run",
	"runRestart",
] as const;

describe("work ledger", () => {
	it.each(KINDS)("%s keeps awake for as long as it lasts, and says so", (kind) => {
		const ledger = new WorkLedger(NOBODY);
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([true, []]);
		ledger.begin(kind);
		expect(ledger.isIdle).toBe(false);
		expect(ledger.awakeBecause()).toHaveLength(1);
		ledger.end(kind);
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([true, []]);
	});

	it("says how many there are of each kind, in words", () => {
		const ledger = new WorkLedger(NOBODY);
		ledger.begin("action");
		ledger.begin("action");
		ledger.begin("socket");
		ledger.begin("run");
		expect(ledger.awakeBecause()).toEqual([
			"2 actions in progress",
			"1 open socket that cannot hibernate",
			"the run handler is working",
		]);
		expect(ledger.unfinished()).toEqual(["2 actions in progress"]);
	});

	it("run does not count while at least one receive waits", () => {
		const ledger = new WorkLedger(NOBODY);
		ledger.begin("run");
		ledger.beginRunWait();
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([true, []]);
		ledger.beginRunWait();
		ledger.endRunWait();
		expect(ledger.isIdle).toBe(true);
		ledger.endRunWait();
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([false, ["the run handler is working"]]);
		ledger.end("run");
		expect(ledger.isIdle).toBe(true);
	});

	it("run may begin and end while an action's receive waits", () => {
		const ledger = new WorkLedger(NOBODY);
		ledger.begin("action");
		ledger.beginRunWait();
		ledger.begin("run");
		expect(ledger.inProgress).toBe(1);
		ledger.end("run");
		ledger.begin("run");
		ledger.endRunWait();
		ledger.end("action");
		expect([ledger.isIdle, ledger.inProgress]).toEqual([false, 0]);
		ledger.end("run");
		expect(ledger.isIdle).toBe(true);
	});

	it("tells each time that the last thing ended, and only then", () => {
		let idle = 0;
		const ledger = new WorkLedger({ fellIdle: () => void idle++ });
		ledger.begin("action");
		ledger.begin("socket");
		ledger.end("action");
		expect(idle).toBe(0);
		ledger.end("socket");
		expect(idle).toBe(1);
		ledger.begin("run");
		ledger.beginRunWait();
		expect(idle).toBe(2);
		ledger.end("run");
		ledger.endRunWait();
		expect(idle).toBe(2);
	});

	it("lists names behind the kind they belong to, each once, ten at most", () => {
		const ledger = new WorkLedger(NOBODY);
		for (let i = 0; i < 12; i++) ledger.begin("action");
		ledger.begin("request");
		const named = (names: string[]) => names.map((name) => ({ kind: "action" as const, name }));
		expect(ledger.unfinished(named(["add", "sum", "add"]))).toEqual([
			"12 actions in progress: add, sum",
			"1 request in progress",
		]);
		const letters = [..."abcdefghijkl"];
		expect(ledger.awakeBecause(named(letters))[0]).toBe(
			"12 actions in progress: a, b, c, d, e, f, g, h, i, j",
		);
	});

	it("names work that waits, as long as it does", () => {
		const ledger = new WorkLedger(NOBODY);
		let messages = 0;
		ledger.addWaitingWork({ waitingWork: () => (messages > 0 ? `${messages} messages` : null) });
		expect([ledger.waiting(), ledger.awakeBecause()]).toEqual([[], []]);
		messages = 2;
		ledger.begin("run");
		expect(ledger.awakeBecause()).toEqual(["the run handler is working", "2 messages"]);
	});

	it("is done when all work ended that a stop waits for, open sockets and run left aside", async () => {
		const ledger = new WorkLedger(NOBODY);
		await ledger.done();
		ledger.begin("socket");
		ledger.begin("run");
		await ledger.done();
		ledger.begin("scheduled");
		ledger.begin("keepAwake");
		let isDone = false;
		const done = ledger.done().then(() => {
			isDone = true;
		});
		ledger.end("keepAwake");
		await Promise.resolve();
		expect(isDone).toBe(false);
		ledger.end("scheduled");
		await done;
	});
});
