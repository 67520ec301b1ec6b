import { withConnections } from "../load/http-connection.ts";
import { actorIdOf, createRequest, incrementRequest } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = 32;
/** Actors before the first reading: code is compiled, pools and tables have their size. */
const WARM_UP_FRACTION = 0.2;

/** Resident memory of an actor that was called once and now waits, and the files it holds open. */
export const idleMemory: Scenario = {
	name: "memory",
	title: "Memory per idle live actor",
	unit: "bytes",
	encoding: "json",
	roundsMax: 1,
	targets: [{ valueMax: 4_096 }],
	async prepare(server, scale) {
		const count =
			server.subject.name === "published" ? scale.idleActors.published : scale.idleActors.others;
		let next = 0;
		const create = async (amount: number): Promise<void> => {
			const end = next + amount;
			await withConnections(server.port, CONNECTIONS, async (connections) => {
				await Promise.all(
					connections.map(async (connection) => {
						while (next < end) {
							// One that may sleep: waiting for that takes a timer.
							const created = await connection.call(createRequest(`idle-${next++}`, "sleeper"));
							const id = actorIdOf(created);
							await connection.call(incrementRequest(id, 1));
						}
					}),
				);
			});
		};
		return {
			async sample() {
				await create(Math.ceil(count * WARM_UP_FRACTION));
				const before = await server.statsAfterCollection();
				await create(count);
				const after = await server.statsAfterCollection();
				return {
					value: (after.rssBytes - before.rssBytes) / count,
					details: {
						heapBytes: (after.heapBytes - before.heapBytes) / count,
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
