import { expect, it } from "vitest";
import { engineLimits } from "../../src/common/limits.ts";
import { BackgroundWakes } from "../../src/placement/background-wakes.ts";
import { Deferred } from "../../src/placement/deferred.ts";
import { TestClock } from "../helpers/test-clock.ts";

/** Wakes of a placement that does what a test says. */
function wakes(limits: { readonly wakesAtOnceMax?: number; readonly wakesWaitingMax?: number }) {
	const clock = new TestClock();
	const begun = new Map<string, Deferred<void>>();
	const failed: string[] = [];
	const placement = {
		waitingCount: 0,
		wake(actorId: string) {
			const deferred = new Deferred<void>();
			begun.set(actorId, deferred);
			return deferred.promise;
		},
	};
	const all = new BackgroundWakes({
		placement,
		clock,
		limits: engineLimits(limits),
		failed: (actorId) => void failed.push(actorId),
	});
	return { clock, begun, failed, placement, all };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it("begins as many as may be begun at once, and the next when one is done, failed ones too", async () => {
	const t = wakes({ wakesAtOnceMax: 2 });
	const beginning = (async () => {
		for (const actorId of ["a", "b", "c", "d"]) await t.all.begin(actorId);
	})();
	await settled();
	expect([...t.begun.keys()]).toEqual(["a", "b"]);
	t.begun.get("b")!.reject(new Error("broken"));
	await settled();
	expect([...t.begun.keys()]).toEqual(["a", "b", "c"]);
	expect(t.failed).toEqual(["b"]);
	t.begun.get("a")!.resolve();
	await beginning;
	expect([...t.begun.keys()]).toEqual(["a", "b", "c", "d"]);
	for (const { resolve } of t.begun.values()) resolve();
	await t.all.settled();
});

it("begins none while too many wait for room, and looks again every second", async () => {
	const t = wakes({ wakesWaitingMax: 1 });
	t.placement.waitingCount = 1;
	const beginning = t.all.begin("a");
	await t.clock.armed(1_000);
	t.clock.advance(1_000);
	await settled();
	expect([...t.begun.keys()]).toEqual([]);
	t.placement.waitingCount = 0;
	t.clock.advance(1_000);
	expect(await beginning).toBe(true);
	expect([...t.begun.keys()]).toEqual(["a"]);
});

it("begins none any more once it is closed, and keeps no timer", async () => {
	const t = wakes({ wakesWaitingMax: 1 });
	t.placement.waitingCount = 1;
	const beginning = t.all.begin("a");
	await t.clock.armed(1_000);
	t.all.close();
	expect(await beginning).toBe(false);
	expect(t.clock.pendingCount).toBe(0);
	expect(await t.all.begin("b")).toBe(false);
	expect([...t.begun.keys()]).toEqual([]);
});

it("ends the pauses of all that wait for room when it is closed", async () => {
	const t = wakes({ wakesWaitingMax: 1 });
	t.placement.waitingCount = 1;
	const beginning = [t.all.begin("a"), t.all.begin("b")];
	await t.clock.armed(1_000);
	t.all.close();
	expect(await Promise.all(beginning)).toEqual([false, false]);
	expect(t.clock.pendingCount).toBe(0);
});
