import type { HttpConnection } from "../load/http-connection.ts";
import { createActors, incrementRequest, outputOf, sendRequest, verifyCounts } from "./actors.ts";
import { measureConnections } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = 64;
const POLL_MS = 2;

/**
 * Messages over keep-alive HTTP, one send in flight on each of 64 connections, handled by a run loop that
 * counts them. A sample is over when the last one is handled.
 */
export function queueMessages(actors: number): Scenario {
	return {
		name: `queue-${actors}`,
		title: `Queue messages over HTTP, stored and handled, ${actors} ${actors === 1 ? "actor" : "actors"}, ${CONNECTIONS} connections`,
		unit: "messages/s",
		encoding: "json",
		targets: [
			{ against: "published", ratioMin: 10 },
			{ against: "grouped", ratioMin: 0.4 },
		],
		async prepare(server) {
			const ids = await createActors(server.port, "queue-", actors, "worker");
			const requests = ids.map((id) => sendRequest(id, 1));
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
						await handled(connections[0] as HttpConnection, ids, acknowledged);
					}),
				verify: () => verifyCounts(server.port, ids, acknowledged),
				close: async () => {},
			};
		},
	};
}

/** Resolves when the actors have handled what was acknowledged. */
async function handled(
	connection: HttpConnection,
	ids: readonly string[],
	acknowledged: readonly number[],
): Promise<void> {
	for (const [index, id] of ids.entries()) {
		const read = incrementRequest(id, 0);
		while (outputOf(await connection.call(read)) < (acknowledged[index] as number)) {
			await new Promise((resolve) => setTimeout(resolve, POLL_MS));
		}
	}
}
