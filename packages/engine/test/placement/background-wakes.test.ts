import { expect, it } from "vitest";
import { engineLimits } from "../../src/common/limits.ts";
import { BackgroundWakes, CROWDED_RETRY_MS } from "../../src/placement/background-wakes.ts";
import { Deferred } from "../../src/placement/deferred.ts";
import type { Woken } from "../../src/placement/placement.ts";
import { WaitingCounts } from "../../src/placement/waiting-counts.ts";
import { TestClock } from "../helpers/test-clock.ts";

const FULL = { namespace: "default", pool: "full" };

/** Wakes of a placement that does what a test says. */
function wakes(limits: { readonly wakesAtOnceMax?: number; readonly wakesWaitingMax?: number }) {
	const clock = new TestClock();
	const begun = new Map<string, Deferred<Woken>>();
	const failed: string[] = [];
	const placement = {
		waiting: new WaitingCounts(),
		wake(actorId: string) {
			const deferred = new Deferred<Woken>();
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
		for (const actorId of ["a", "b", "c", "d"]) await t.all.begin(actorId, FULL);
	})();
	await settled();
	expect([...t.begun.keys()]).toEqual(["a", "b"]);
	t.begun.get("b")!.reject(new Error("broken"));
	await settled();
	expect([...t.begun.keys()]).toEqual(["a", "b", "c"]);
	expect(t.failed).toEqual(["b"]);
	t.begun.get("a")!.resolve("live");
	await beginning;
	expect([...t.begun.keys()]).toEqual(["a", "b", "c", "d"]);
	for (const { resolve } of t.begun.values()) resolve("live");
	await t.all.settled();
});

it("begins none of a pool in which too many wait for room, and those of others", async () => {
	const t = wakes({ wakesWaitingMax: 1 });
	t.placement.waiting.add(FULL);
	expect(await t.all.begin("a", FULL)).toBe("crowded");
	expect(await t.all.begin("b", { ...FULL, namespace: "other" })).toBe("begun");
	t.placement.waiting.remove(FULL);
	expect(await t.all.begin("a", FULL)).toBe("begun");
	expect([...t.begun.keys()]).toEqual(["b", "a"]);
});

it("begins none of a pool for a while of which too many wait where the last one went, on another node", async () => {
	const t = wakes({});
	await t.all.begin("a", FULL);
	t.begun.get("a")!.resolve("waiting");
	await t.all.settled();
	expect(await t.all.begin("b", FULL)).toBe("begun");
	t.begun.get("b")!.resolve("crowded");
	await t.all.settled();
	expect(await t.all.begin("c", FULL)).toBe("crowded");
	expect(await t.all.begin("d", { ...FULL, namespace: "other" })).toBe("begun");
	t.clock.advance(CROWDED_RETRY_MS);
	expect(await t.all.begin("c", FULL)).toBe("begun");
});

it("begins none any more once it is closed, those that wait for their turn included", async () => {
	const t = wakes({ wakesAtOnceMax: 1 });
	await t.all.begin("a", FULL);
	const beginning = [t.all.begin("b", FULL), t.all.begin("c", FULL)];
	t.all.close();
	t.begun.get("a")!.resolve("live");
	expect(await Promise.all(beginning)).toEqual(["closed", "closed"]);
	expect(await t.all.begin("d", FULL)).toBe("closed");
	expect([...t.begun.keys()]).toEqual(["a"]);
	expect(t.clock.pendingCount).toBe(0);
});
