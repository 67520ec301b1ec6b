import { describe, expect, it } from "vitest";
import { WorkLedger } from "../../src/runtime/instance/work-ledger.ts";

const KINDS = [
	"action",
	"scheduled",
	"request",
	"guard",
	"onDisconnect",
	"socketListener",
	"keepAwake",
	"socket",
	"run",
] as const;

describe("work ledger", () => {
	it.each(KINDS)("%s keeps awake for as long as it lasts, and says so", (kind) => {
		const ledger = new WorkLedger();
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([true, []]);
		ledger.begin(kind);
		expect(ledger.isIdle).toBe(false);
		expect(ledger.awakeBecause()).toHaveLength(1);
		ledger.end(kind);
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([true, []]);
	});

	it("says how many there are of each kind, in words", () => {
		const ledger = new WorkLedger();
		ledger.begin("action");
		ledger.begin("action");
		ledger.begin("socket");
		ledger.begin("run");
		expect(ledger.awakeBecause()).toEqual([
			"2 actions in progress",
			"1 open socket that cannot hibernate",
			"run is working",
		]);
		expect(ledger.unfinished()).toEqual(["2 actions in progress"]);
	});

	it("run does not count while at least one receive waits", () => {
		const ledger = new WorkLedger();
		ledger.begin("run");
		ledger.beginRunWait();
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([true, []]);
		ledger.beginRunWait();
		ledger.endRunWait();
		expect(ledger.isIdle).toBe(true);
		ledger.endRunWait();
		expect([ledger.isIdle, ledger.awakeBecause()]).toEqual([false, ["run is working"]]);
		ledger.end("run");
		expect(ledger.isIdle).toBe(true);
	});

	it("run may begin and end while an action's receive waits", () => {
		const ledger = new WorkLedger();
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

	it("names work that waits, as long as it does", () => {
		const ledger = new WorkLedger();
		let messages = 0;
		ledger.addWaitingWork({ waitingWork: () => (messages > 0 ? `${messages} messages` : null) });
		expect([ledger.waiting(), ledger.awakeBecause()]).toEqual([[], []]);
		messages = 2;
		ledger.begin("run");
		expect(ledger.awakeBecause()).toEqual(["run is working", "2 messages"]);
	});

	it("is done when all work ended that a stop waits for, open sockets and run left aside", async () => {
		const ledger = new WorkLedger();
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
