import { Pipeline } from "../load/pipeline.ts";
import { wires } from "../wire.ts";
import { createActors, verifyCounts } from "./actors.ts";
import { measure } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

const ENCODING = "bare";

/** Durable increments of one actor over WebSockets, a number of calls in flight on each. */
export function websocketActions(connections: number, inFlight: number): Scenario {
	return {
		name: `ws-${connections}x${inFlight}`,
		title: `WebSocket actions, ${connections} ${connections === 1 ? "connection" : "connections"}, ${inFlight} in flight each`,
		unit: "actions/s",
		encoding: ENCODING,
		targets: [
			{ against: "published", ratioMin: 2 },
			{ against: "bare", ratioMin: 0.6 },
		],
		async prepare(server) {
			const [id] = await createActors(server.port, "ws-", 1);
			if (id === undefined) throw new Error("no actor was created");
			const pipelines = await Promise.all(
				Array.from({ length: connections }, () => Pipeline.open(server.port, id, wires[ENCODING])),
			);
			let acknowledged = 0;
			return {
				sample: (durationMs) =>
					measure(server, durationMs, async (tally) => {
						await Promise.all(
							pipelines.map(
								(pipeline) =>
									new Promise<void>((resolve, reject) => {
										pipeline.onFailure(reject);
										pipeline.onReply((beganMs) => {
											acknowledged += 1;
											tally.done(1, beganMs);
											if (tally.isOpen()) pipeline.begin("increment", [1]);
											else if (pipeline.inFlight === 0) resolve();
										});
										for (let index = 0; index < inFlight; index += 1)
											pipeline.begin("increment", [1]);
									}),
							),
						);
					}),
				verify: () => verifyCounts(server.port, [id], [acknowledged]),
				close: async () => void (await Promise.all(pipelines.map((pipeline) => pipeline.close()))),
			};
		},
	};
}
