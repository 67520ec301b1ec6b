import { withConnections } from "../load/http-connection.ts";
import { quantile } from "../statistics.ts";
import { actionRequest, createActors, outputOf } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

/** Actors per second of a sample: each is woken once and then called warm, as a write and as a read. */
const ACTORS_PER_SECOND = 150;
const ACTORS_MIN = 10;
/** What an actor needs to fall asleep, saves behind its answer included. */
const FALL_ASLEEP_MS = 1_000;

/**
 * The first call to an actor that sleeps, on one connection with one call at a time, against the same call
 * to the same actor when it is awake. A write waits for the disk in both; a read does not.
 */
export const wake: Scenario = {
	name: "wake",
	title: "First call (a write) to a sleeping actor, p50",
	unit: "ms",
	encoding: "json",
	subjects: ["published", "ours"],
	targets: [
		{ against: "published", ratioMax: 1 },
		{ detail: "writeToWarm", detailMax: 3 },
		{ detail: "readToWarm", detailMax: 3 },
	],
	async prepare(server, scale) {
		const count = Math.max(ACTORS_MIN, Math.ceil((scale.sampleMs / 1_000) * ACTORS_PER_SECOND));
		const ids = await createActors(server.port, "wake-", count, "sleeper");
		const [witness] = (await createActors(server.port, "witness-", 1)) as [string];
		let increments = 0;
		return {
			sample: () =>
				withConnections(server.port, 1, async ([connection]) => {
					const call = (actorId: string, action: string, ...args: number[]): Promise<string> =>
						connection!.call(actionRequest(actorId, action, ...args));
					const wakes = async (): Promise<number> => outputOf(await call(witness, "wakes"));

					/** Latencies of one call to each actor, sorted, in ms. */
					const timed = async (action: string, ...args: number[]): Promise<number[]> => {
						const requests = ids.map((id) => actionRequest(id, action, ...args));
						const latencies: number[] = [];
						for (const request of requests) {
							const beganMs = performance.now();
							await connection!.call(request);
							latencies.push(performance.now() - beganMs);
						}
						return latencies.sort((left, right) => left - right);
					};

					const firstAndWarm = async (action: string, ...args: number[]) => {
						for (const id of ids) await call(id, "sleep");
						await new Promise((resolve) => setTimeout(resolve, FALL_ASLEEP_MS));
						const before = await wakes();
						const first = await timed(action, ...args);
						const woken = (await wakes()) - before;
						if (woken !== count) throw new Error(`${woken} of ${count} actors were woken`);
						return { first, warm: await timed(action, ...args) };
					};

					const write = await firstAndWarm("increment", 1);
					increments += 2;
					const read = await firstAndWarm("count");
					const p50 = (latencies: number[]) => quantile(latencies, 0.5);
					return {
						value: p50(write.first),
						details: {
							writeP99Ms: quantile(write.first, 0.99),
							warmWriteMs: p50(write.warm),
							writeToWarm: p50(write.first) / p50(write.warm),
							readMs: p50(read.first),
							readP99Ms: quantile(read.first, 0.99),
							warmReadMs: p50(read.warm),
							readToWarm: p50(read.first) / p50(read.warm),
						},
					};
				}),
			verify: () =>
				withConnections(server.port, 1, async ([connection]) => {
					for (const id of ids) {
						const counted = outputOf(await connection!.call(actionRequest(id, "count")));
						if (counted !== increments) {
							throw new Error(`a counter is at ${counted} after ${increments} increments`);
						}
					}
				}),
			close: async () => {},
		};
	},
};
