import type { HttpConnection } from "../load/http-connection.ts";
import { createActors, incrementRequest, outputOf, stepsRequest, verifyCounts } from "./actors.ts";
import { measureConnections } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS_MAX = 8;
const POLL_MS = 20;
/** Steps of all actors in one round, as far as the bounds for each actor allow. Few messages for many steps: the messages are ours alone. */
const STEPS_PER_ROUND = 10_000;
const STEPS_PER_ACTOR_MIN = 10;
const STEPS_PER_ACTOR_MAX = 2_000;
const STEPS_PER_MESSAGE_MAX = 100;

/**
 * Durable steps of workflows, one after the other in each actor: a message says how many. A round is over
 * when all actors have done theirs. `changesState`: a commit is two records then, and else one.
 */
export function workflowSteps(
	actors: number,
	{ changesState }: { readonly changesState: boolean },
): Scenario {
	const what = changesState ? "steps, each with a change of the state" : "steps of one record";
	const connectionCount = Math.min(actors, CONNECTIONS_MAX);
	const steps = Math.min(
		STEPS_PER_ACTOR_MAX,
		Math.max(STEPS_PER_ACTOR_MIN, Math.ceil(STEPS_PER_ROUND / actors)),
	);
	const messages = Math.ceil(steps / STEPS_PER_MESSAGE_MAX);
	const stepsPerMessage = Math.ceil(steps / messages);
	return {
		name: changesState ? `workflow-${actors}` : `workflow-record-${actors}`,
		title: `Workflow ${what}, ${actors} ${actors === 1 ? "actor" : "actors"}`,
		unit: "steps/s",
		encoding: "json",
		// The published package answered 500, or did steps twice: see `workflow-loop` for what it can do.
		subjects: ["bare", "grouped", "store", "ours"],
		targets: [
			{ against: "store", ratioMin: actors === 1 ? 0.8 : 0.6 },
			...(actors === 100 ? [{ valueMin: 10_000 }] : []),
		],
		async prepare(server) {
			const name = changesState ? "stepper" : "recorder";
			const ids = await createActors(server.port, "workflow-", actors, name);
			const asked = ids.map(() => 0);
			return {
				sample: (durationMs) =>
					measureConnections(server, connectionCount, durationMs, async (tally, connections) => {
						while (tally.isOpen()) {
							const beganMs = performance.now();
							await inParallel(connections, ids, async (connection, id, index) => {
								for (let message = 0; message < messages; message += 1) {
									await connection.call(stepsRequest(id, stepsPerMessage));
									asked[index]! += stepsPerMessage;
								}
							});
							await inParallel(connections, ids, (connection, id, index) =>
								reached(connection, id, asked[index]!),
							);
							tally.done(actors * messages * stepsPerMessage, beganMs);
						}
					}),
				verify: () => verifyCounts(server.port, ids, asked),
				close: async () => {},
			};
		},
	};
}

/** One item after the other on each connection. */
async function inParallel<T>(
	connections: readonly HttpConnection[],
	items: readonly T[],
	work: (connection: HttpConnection, item: T, index: number) => Promise<void>,
): Promise<void> {
	let next = 0;
	await Promise.all(
		connections.map(async (connection) => {
			while (next < items.length) {
				const index = next++;
				await work(connection, items[index]!, index);
			}
		}),
	);
}

async function reached(connection: HttpConnection, id: string, count: number): Promise<void> {
	const read = incrementRequest(id, 0);
	while (outputOf(await connection.call(read)) < count) {
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}
