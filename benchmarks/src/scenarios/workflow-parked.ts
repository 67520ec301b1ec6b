import { type HttpConnection, withConnections } from "../load/http-connection.ts";
import { quantile } from "../statistics.ts";
import { actionRequest, actorIdOf, createActors, createRequest, outputOf } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

const ITERATIONS = 100_000;
const NUDGES = 200;
const POLL_MS = 20;
const CONNECTIONS = 32;
const WARM_UP_FRACTION = 0.2;

/** From the send of a message until the code of a workflow that waits for it in a live actor goes on. */
export const workflowResident: Scenario = {
	name: "workflow-resident",
	title: `Message to a resident workflow in iteration ${ITERATIONS} until its code goes on, p50`,
	unit: "ms",
	encoding: "json",
	subjects: ["ours"],
	targets: [{ valueMax: 1 }],
	async prepare(server) {
		const [id] = await createActors(server.port, `parked-${ITERATIONS}-`, 1, "parked");
		await withConnections(server.port, 1, ([connection]) => waits(connection!, id!));
		return {
			sample: () =>
				withConnections(server.port, 1, async ([connection]) => {
					const latencies: number[] = [];
					for (let nudge = 0; nudge < NUDGES; nudge += 1) {
						await connection!.call(actionRequest(id!, "nudge"));
						await waits(connection!, id!);
						latencies.push(outputOf(await connection!.call(actionRequest(id!, "resumedMs"))));
					}
					latencies.sort((left, right) => left - right);
					return { value: quantile(latencies, 0.5), details: { p99Ms: quantile(latencies, 0.99) } };
				}),
			verify: async () => {},
			close: async () => {},
		};
	},
};

type Kind = "parked" | "closures" | "sleeper";

/**
 * Heap of a live actor whose workflow waits for a message in an iteration of its loop (`totalBytes`), less that
 * of an actor which keeps nothing but the closures of the same code (`closuresBytes`). `plainBytes`: of an actor
 * without either. Of as many others first, so that what is made once is there.
 */
export const workflowMemory: Scenario = {
	name: "workflow-memory",
	title: "Heap per workflow that waits in a live actor, beyond the actor and the user's closures",
	unit: "bytes",
	encoding: "json",
	subjects: ["ours"],
	roundsMax: 1,
	targets: [{ valueMax: 8_192 }],
	async prepare(server, scale) {
		const count = scale.idleActors.others;
		let next = 0;
		const create = (name: Kind, amount: number): Promise<void> => {
			const end = next + amount;
			return withConnections(server.port, CONNECTIONS, async (connections) => {
				await Promise.all(
					connections.map(async (connection) => {
						while (next < end) {
							const key = `parked-0-${next++}`;
							const id = actorIdOf(await connection.call(createRequest(key, name)));
							await connection.call(actionRequest(id, "increment", 1));
							if (name === "parked") await work(connection, id);
						}
					}),
				);
			});
		};
		const heapPer = async (name: Kind): Promise<number> => {
			await create(name, Math.ceil(count * WARM_UP_FRACTION));
			const before = await server.statsAfterCollection();
			await create(name, count);
			const after = await server.statsAfterCollection();
			return (after.heapBytes - before.heapBytes) / count;
		};
		return {
			async sample() {
				const plainBytes = await heapPer("sleeper");
				const closuresBytes = await heapPer("closures");
				const totalBytes = await heapPer("parked");
				const details = { totalBytes, closuresBytes, plainBytes, actors: count };
				return { value: totalBytes - closuresBytes, details };
			},
			verify: async () => {},
			close: async () => {},
		};
	},
};

/** A workflow that has had something to do keeps no more than one that never had. */
async function work(connection: HttpConnection, id: string): Promise<void> {
	await waits(connection, id);
	await connection.call(actionRequest(id, "nudge"));
	await waits(connection, id);
}

async function waits(connection: HttpConnection, id: string): Promise<void> {
	while (outputOf(await connection.call(actionRequest(id, "waits"))) === 0) {
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}
