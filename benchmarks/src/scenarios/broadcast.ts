import { Pipeline } from "../load/pipeline.ts";
import { wires } from "../wire.ts";
import { createActors } from "./actors.ts";
import { measure } from "./measure.ts";
import type { Scenario, Target } from "./scenario.ts";

const ENCODING = "bare";
const TEXT = "x".repeat(100);
/** Calls whose events have not all arrived: the server is never idle, and no buffer grows without end. */
const CALLS_IN_FLIGHT = 2;

/** One action that emits events to every subscriber; an operation is one event delivered to one of them. */
export function broadcast(subscribers: number, eventsPerCall: number): Scenario {
	const target: Target =
		eventsPerCall === 1 ? { against: "bare", ratioMin: 0.9 } : { against: "bare", ratioMin: 4 };
	return {
		name: `broadcast-${subscribers}x${eventsPerCall}`,
		title: `Broadcast to ${subscribers} subscribers, ${eventsPerCall} ${eventsPerCall === 1 ? "event" : "events"} per action`,
		unit: "events/s",
		encoding: ENCODING,
		targets: [target],
		async prepare(server) {
			const [id] = await createActors(server.port, "broadcast-", 1);
			if (id === undefined) throw new Error("no actor was created");
			let delivered = 0;
			let onDelivered = (): void => {};
			let onFailure = (_: Error): void => {};
			const perCall = subscribers * eventsPerCall;
			const audience = await Promise.all(
				Array.from({ length: subscribers }, async () => {
					const pipeline = await Pipeline.open(server.port, id, wires[ENCODING], () => {
						delivered += 1;
						if (delivered % perCall === 0) onDelivered();
					});
					await pipeline.subscribe("news");
					pipeline.onFailure((error) => onFailure(error));
					return pipeline;
				}),
			);
			const publisher = await Pipeline.open(server.port, id, wires[ENCODING]);
			let calls = 0;
			return {
				sample: (durationMs) =>
					measure(server, durationMs, (tally) => {
						const begun: number[] = [];
						return new Promise<void>((resolve, reject) => {
							onFailure = reject;
							publisher.onFailure(reject);
							const begin = (): void => {
								calls += 1;
								begun.push(performance.now());
								publisher.begin("announce", [eventsPerCall, TEXT]);
							};
							const endWhenDone = (): void => {
								if (begun.length === 0 && publisher.inFlight === 0) resolve();
							};
							publisher.onReply(endWhenDone);
							onDelivered = () => {
								tally.done(perCall, begun.shift() as number);
								if (tally.isOpen()) begin();
								else endWhenDone();
							};
							for (let index = 0; index < CALLS_IN_FLIGHT; index += 1) begin();
						});
					}),
				async verify() {
					// Subscribers hear what is sent before the answer to a later call of their own.
					await Promise.all(audience.map((pipeline) => pipeline.call("increment", [0])));
					if (delivered !== calls * perCall) {
						throw new Error(`${delivered} of ${calls * perCall} events arrived`);
					}
				},
				close: async () =>
					void (await Promise.all([publisher, ...audience].map((pipeline) => pipeline.close()))),
			};
		},
	};
}
