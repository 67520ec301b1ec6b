import { expect, it } from "vitest";
import { UndoLog } from "../../src/runtime/commit/undo-log.ts";

function setUp() {
	const scope = { isRunning: true };
	const undone: string[] = [];
	let ended = 0;
	const log = new UndoLog(scope, () => void ended++);
	const write = (name: string) => log.note(() => void undone.push(name));
	return { scope, undone, log, write, ended: () => ended };
}

it("an undo log takes back what its scope wrote, newest first, and once", () => {
	const { scope, undone, log, write, ended } = setUp();
	write("first");
	scope.isRunning = false;
	write("of somebody else");
	scope.isRunning = true;
	write("second");
	log.rewind();
	expect(undone).toEqual(["second", "first"]);
	expect(ended()).toBe(1);
	log.rewind();
	expect(undone).toHaveLength(2);
});

it("an undo log takes nothing back that was kept or rolled back", () => {
	const kept = setUp();
	kept.write("kept");
	kept.log.release();
	expect(kept.ended()).toBe(1);
	const rolledBack = setUp();
	rolledBack.write("rolled back");
	rolledBack.log.clear();
	rolledBack.write("after it");
	rolledBack.log.rewind();
	expect([kept.undone, rolledBack.undone]).toEqual([[], ["after it"]]);
});
