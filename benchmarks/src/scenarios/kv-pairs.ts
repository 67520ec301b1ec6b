import { HttpConnection } from "../load/http-connection.ts";
import { actionRequest, createActors, outputOf } from "./actors.ts";
import { measureConnections } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

/** Pairs in one call from which the work of the pairs outweighs that of the call and its sync. */
const MANY = 1_000;

/** Calls of one sample at the least: one call can take longer than a sample, and says little alone. */
const CALLS_MIN = 5;

/**
 * A put and a get of what was put, inside one action; each pair of a call has a key of its own. Servers
 * differ in when they write to the disk, with each put or with each call, so a disk's speed decides
 * between them; in memory their own work does.
 */
export function kvPairs(pairsPerCall: number, storage: "disk" | "memory" = "disk"): Scenario {
	return {
		name: storage === "disk" ? `kv-${pairsPerCall}` : `kv-${pairsPerCall}-memory`,
		title: `c.kv put and get, ${pairsPerCall} pairs in one action, one call at a time${storage === "disk" ? "" : ", stored in memory"}`,
		unit: "pairs/s",
		encoding: "json",
		storage,
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
						for (let calls = 0; tally.isOpen() || calls < CALLS_MIN; calls += 1) {
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
