import { createActors, incrementRequest, verifyCounts } from "./actors.ts";
import { measureConnections } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = 64;

/** Durable increments over keep-alive HTTP, one in flight on each of 64 connections. */
export function httpActions(actors: number): Scenario {
	return {
		name: `http-${actors}`,
		title: `HTTP actions, ${actors} ${actors === 1 ? "actor" : "actors"}, ${CONNECTIONS} connections`,
		unit: "actions/s",
		encoding: "json",
		targets: [
			{ against: "published", ratioMin: 3 },
			{ against: "grouped", ratioMin: 0.6 },
		],
		async prepare(server) {
			const ids = await createActors(server.port, "http-", actors);
			const requests = ids.map((id) => incrementRequest(id, 1));
			const acknowledged = ids.map(() => 0);
			let next = 0;
			return {
				sample: (durationMs) =>
					measureConnections(server, CONNECTIONS, durationMs, async (tally, connections) => {
						await Promise.all(
							connections.map(
								(connection) =>
									new Promise<void>((resolve, reject) => {
										const begin = (): void => {
											const index = next++ % actors;
											const beganMs = performance.now();
											const answered = (): void => {
												acknowledged[index] = (acknowledged[index] as number) + 1;
												tally.done(1, beganMs);
												if (tally.isOpen()) begin();
												else resolve();
											};
											connection.send(requests[index] as Buffer, answered, reject);
										};
										begin();
									}),
							),
						);
					}),
				verify: () => verifyCounts(server.port, ids, acknowledged),
				close: async () => {},
			};
		},
	};
}
