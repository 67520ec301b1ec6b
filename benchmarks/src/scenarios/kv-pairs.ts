import { HttpConnection } from "../load/http-connection.ts";
import { actionRequest, createActors, outputOf } from "./actors.ts";
import { measureConnections } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

/** Pairs in one call from which the work of the pairs outweighs that of the call and its sync. */
const MANY = 1_000;

/** A put and a get of what was put, inside one action; each pair of a call has a key of its own. */
export function kvPairs(pairsPerCall: number): Scenario {
	return {
		name: `kv-${pairsPerCall}`,
		title: `c.kv put and get, ${pairsPerCall} pairs in one action, one call at a time`,
		unit: "pairs/s",
		encoding: "json",
		targets: [
			{ against: "published", ratioMin: 15 },
			// What Durable Objects on workerd reach.
			...(pairsPerCall >= MANY ? [{ valueMin: 105_000 }] : []),
		],
		async prepare(server) {
			const [id] = await createActors(server.port, "kv-", 1);
			if (id === undefined) throw new Error("no actor was created");
			let round = 0;
			return {
				sample: (durationMs) =>
					measureConnections(server, 1, durationMs, async (tally, [connection]) => {
						if (connection === undefined) throw new Error("there is no connection");
						while (tally.isOpen()) {
							const beganMs = performance.now();
							// Other values than last time: a store writes nothing when nothing changes.
							const request = actionRequest(id, "pairs", pairsPerCall, `round ${round++}`);
							const found = outputOf(await connection.call(request));
							if (found !== pairsPerCall) throw new Error(`${found} of ${pairsPerCall} were found`);
							tally.done(pairsPerCall, beganMs);
						}
					}),
				async verify() {
					const http = await HttpConnection.open(server.port);
					try {
						const keys = outputOf(await http.call(actionRequest(id, "keys")));
						if (keys !== pairsPerCall)
							throw new Error(`${keys} of ${pairsPerCall} keys are stored`);
					} finally {
						http.close();
					}
				},
				close: async () => {},
			};
		},
	};
}
