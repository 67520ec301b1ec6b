import fc from "fast-check";
import { expect, it } from "vitest";
import { KEYS, Model, steps } from "./commands.ts";
import { World } from "./world.ts";

const SEED = 20_261_126;
const RUNS = 60;

/**
 * Random lives of a few actors (calls, connections, time, sleep, crashes, restarts, destruction) against
 * a model that knows none of it: one live instance at a time, no acknowledged write lost, every event to
 * every open connection once and in order and to no other, no connection that only one side knows, every
 * due schedule fired exactly once or listed as retrying.
 */
it(`agrees with the model over ${RUNS} random lives`, async () => {
	const commands = fc.commands(
		steps.flatMap(({ weight, arbitrary }) => Array<typeof arbitrary>(weight).fill(arbitrary)),
		{ size: "+1" },
	);
	await fc.assert(
		fc.asyncProperty(commands, async (lives) => {
			const world = new World();
			const model = new Model();
			try {
				await fc.asyncModelRun(() => ({ model, real: world }), lives);
				for (const key of KEYS) {
					expect(await world.handle(key).look()).toEqual(model.seen(key, world.nowMs));
				}
			} finally {
				await world.close();
			}
			if (world.violations.length > 0) throw new Error(world.violations.join("\n"));
		}),
		{ seed: SEED, numRuns: RUNS, endOnFailure: false },
	);
});
