// How a node looks for what others have left, where pools have no room.
import { expect, it } from "vitest";
import { LeftRunning } from "../../src/cluster/left-running.ts";
import { engineLimits } from "../../src/common/limits.ts";
import { CROWDED_RETRY_MS } from "../../src/placement/background-wakes.ts";
import { WaitingCounts } from "../../src/placement/waiting-counts.ts";
import { TestClock } from "../helpers/test-clock.ts";

it("begins those of pools that have room, and looks again later for the others", async () => {
	const clock = new TestClock();
	const waiting = new WaitingCounts();
	const full = { namespace: "default", pool: "full" };
	waiting.add(full);
	const left = new Map([
		["a", full],
		["b", { ...full, pool: "free" }],
	]);
	const noted = () => {};
	const looks = new LeftRunning({
		rows: {
			leftRunning: async () => ({
				actors: [...left].map(([actorId, pool]) => ({ actorId, ...pool })),
				pausedUntilTs: null,
				next: null,
			}),
		},
		placement: { waiting, wake: async (actorId) => (left.delete(actorId) ? "live" : "waiting") },
		clock,
		limits: engineLimits({ wakesWaitingMax: 1 }),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		names: () => ["any"],
	});
	looks.look();
	await clock.armed(CROWDED_RETRY_MS);
	expect([...left.keys()]).toEqual(["a"]);
	waiting.remove(full);
	clock.advance(CROWDED_RETRY_MS);
	await expect.poll(() => [...left.keys()]).toEqual([]);
	looks.close();
	expect(clock.pendingCount).toBe(0);
});

it("pauses for those that found no room from the end of a look on, however long that took", async () => {
	const clock = new TestClock();
	const waiting = new WaitingCounts();
	const full = { namespace: "default", pool: "full" };
	waiting.add(full);
	let looks = 0;
	const noted = () => {};
	const left = new LeftRunning({
		rows: {
			async leftRunning(_names, _limit, after) {
				if (after === 0) {
					looks++;
					return { actors: [{ actorId: "a", ...full }], pausedUntilTs: null, next: 1 };
				}
				clock.advance(2 * CROWDED_RETRY_MS);
				return { actors: [], pausedUntilTs: null, next: null };
			},
		},
		placement: { waiting, wake: async () => "live" },
		clock,
		limits: engineLimits({ wakesWaitingMax: 1 }),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		names: () => ["any"],
	});
	left.look();
	await expect.poll(() => clock.pendingCount).toBe(1);
	clock.advance(CROWDED_RETRY_MS - 1);
	expect(looks).toBe(1);
	clock.advance(1);
	expect(looks).toBe(2);
	left.close();
});
