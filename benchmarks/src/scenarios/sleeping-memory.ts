import { withConnections } from "../load/http-connection.ts";
import { actionRequest, actorIdOf, createRequest, incrementRequest } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = 32;
/** Actors before the first reading: code is compiled, pools and tables have their size. */
const WARM_UP_FRACTION = 0.5;
const FALL_ASLEEP_MS = 2_000;

/** Heap that actors take while they sleep: they were created, called once, and put to sleep. */
export const sleepingMemory: Scenario = {
	name: "sleeping-memory",
	title: "Heap per sleeping actor",
	unit: "bytes",
	encoding: "json",
	subjects: ["published", "ours"],
	roundsMax: 1,
	// None of them: what is measured is the spread of a whole heap over the actors.
	targets: [{ valueMax: 32 }],
	async prepare(server, scale) {
		const { idleActors } = scale;
		const count = server.subject.name === "published" ? idleActors.published : idleActors.others;
		let next = 0;
		const liveAndSleep = async (amount: number): Promise<void> => {
			const end = next + amount;
			await withConnections(server.port, CONNECTIONS, async (connections) => {
				await Promise.all(
					connections.map(async (connection) => {
						while (next < end) {
							const created = await connection.call(createRequest(`asleep-${next++}`, "sleeper"));
							const id = actorIdOf(created);
							await connection.call(incrementRequest(id, 1));
							await connection.call(actionRequest(id, "sleep"));
						}
					}),
				);
			});
			await new Promise((resolve) => setTimeout(resolve, FALL_ASLEEP_MS));
		};
		return {
			async sample() {
				await liveAndSleep(Math.ceil(count * WARM_UP_FRACTION));
				const before = await server.statsAfterCollection();
				await liveAndSleep(count);
				const after = await server.statsAfterCollection();
				return {
					value: (after.heapBytes - before.heapBytes) / count,
					details: {
						rssBytes: (after.rssBytes - before.rssBytes) / count,
						filesPerThousand: ((after.openFiles - before.openFiles) * 1_000) / count,
						actors: count,
					},
				};
			},
			verify: async () => {},
			close: async () => {},
		};
	},
};
