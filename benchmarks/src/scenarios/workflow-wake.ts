import { type HttpConnection, withConnections } from "../load/http-connection.ts";
import { quantile } from "../statistics.ts";
import { actionRequest, createActors, outputOf } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

const FEW = 10;
const MANY = 100_000;
/** Workflows that are woken per sample, of each kind. */
const ACTORS = 5;
const FALL_ASLEEP_MS = 1_000;
const POLL_MS = 20;

/**
 * The first call to an actor that sleeps, until its workflow is where it was: in iteration 10 of its loop, and
 * in iteration 10,000. One connection, one call at a time.
 */
export const workflowWake: Scenario = {
	name: "workflow-wake",
	title: `First call to a sleeping workflow in iteration ${MANY}, p50`,
	unit: "ms",
	encoding: "json",
	subjects: ["ours"],
	targets: [{ valueMax: 5 }, { detail: "manyToFew", detailMax: 1.2 }],
	stepMsMax: 120_000,
	async prepare(server) {
		const few = await createActors(server.port, `loop-${FEW}-`, ACTORS, "looper");
		const many = await createActors(server.port, `loop-${MANY}-`, ACTORS, "looper");
		await withConnections(server.port, 1, async ([connection]) => {
			for (const id of few) await reached(connection!, id, FEW);
			for (const id of many) await reached(connection!, id, MANY);
		});
		return {
			sample: () =>
				withConnections(server.port, 1, async ([connection]) => {
					const p50 = async (ids: readonly string[]): Promise<number> => {
						for (const id of ids) await connection!.call(actionRequest(id, "sleep"));
						await new Promise((resolve) => setTimeout(resolve, FALL_ASLEEP_MS));
						const latencies: number[] = [];
						for (const id of ids) {
							const beganMs = performance.now();
							const waits = actionRequest(id, "waits");
							while (outputOf(await connection!.call(waits)) === 0);
							latencies.push(performance.now() - beganMs);
						}
						return quantile(
							latencies.sort((left, right) => left - right),
							0.5,
						);
					};
					const fewMs = await p50(few);
					const manyMs = await p50(many);
					return { value: manyMs, details: { fewMs, manyToFew: manyMs / fewMs } };
				}),
			verify: () =>
				withConnections(server.port, 1, async ([connection]) => {
					for (const id of many) await reached(connection!, id, MANY);
				}),
			close: async () => {},
		};
	},
};

async function reached(connection: HttpConnection, id: string, iteration: number): Promise<void> {
	const request = actionRequest(id, "reached");
	while (outputOf(await connection.call(request)) < iteration) {
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}
