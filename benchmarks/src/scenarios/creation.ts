import { actorIdOf, createRequest, incrementRequest, verifyCounts } from "./actors.ts";
import { measureConnections } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = 64;
/** Actors that are read back afterwards. */
const VERIFIED_MAX = 1_000;

/** Creates an actor and calls it once: two requests, one operation. */
export const creation: Scenario = {
	name: "creation",
	title: `Actor creation with a first action, ${CONNECTIONS} connections`,
	unit: "actors/s",
	encoding: "json",
	targets: [{ against: "published", ratioMin: 20 }],
	async prepare(server) {
		const created: string[] = [];
		let next = 0;
		return {
			sample: (durationMs) =>
				measureConnections(server, CONNECTIONS, durationMs, async (tally, connections) => {
					await Promise.all(
						connections.map(async (connection) => {
							while (tally.isOpen()) {
								const beganMs = performance.now();
								const id = actorIdOf(await connection.call(createRequest(`created-${next++}`)));
								await connection.call(incrementRequest(id, 1));
								tally.done(1, beganMs);
								created.push(id);
							}
						}),
					);
				}),
			async verify() {
				if (new Set(created).size !== created.length) throw new Error("two actors share an id");
				const some = created.slice(-VERIFIED_MAX);
				await verifyCounts(
					server.port,
					some,
					some.map(() => 1),
				);
			},
			close: async () => {},
		};
	},
};
