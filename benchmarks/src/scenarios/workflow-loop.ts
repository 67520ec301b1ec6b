import { type HttpConnection, withConnections } from "../load/http-connection.ts";
import { actionRequest, createActors, messageRequest, outputOf } from "./actors.ts";
import type { Scenario, Target } from "./scenario.ts";

/** `backlog`: each iteration takes a message that is there, and then does its step. */
export type LoopKind = "durable" | "ephemeral" | "backlog";

/** In the order of the last digit that tells the server's actor. */
const KINDS: readonly LoopKind[] = ["durable", "ephemeral", "backlog"];
/** The published package does so much less. Its ephemeral steps take longer the more there were: 10,000 took minutes. */
const PUBLISHED_PART: Record<LoopKind, number> = { durable: 10, ephemeral: 100, backlog: 10 };
const POLL_MS = 20;
const QUIET_POLLS = 25;
const SENDERS = 32;

const TITLES: Record<LoopKind, string> = {
	durable: "Workflow loop of one durable step, 1 actor",
	ephemeral: "Workflow loop of one ephemeral step, 1 actor",
	backlog: "Workflow loop of one message (backlog) and one step, 1 actor",
};

const TARGETS: Record<LoopKind, readonly Target[]> = {
	durable: [{ against: "published", ratioMin: 5 }],
	ephemeral: [{ valueMin: 50_000 }],
	backlog: [{ against: "published", ratioMin: 5 }],
};

/**
 * One actor's loop from its first step to its last, timed inside of the server, so that nothing but the
 * workflow is measured. Every sample is a new actor. `extraRuns`: bodies of steps that were run again, per
 * hundred.
 */
export function workflowLoop(kind: LoopKind, iterations: number): Scenario {
	return {
		name: `workflow-loop-${kind}`,
		title: TITLES[kind],
		unit: "iterations/s",
		encoding: "json",
		subjects: ["published", "ours"],
		targets: TARGETS[kind],
		async prepare(server, scale) {
			let actors = 0;
			const asked = Math.ceil(iterations * Math.min(1, scale.sampleMs / 1_000));
			const count =
				server.subject.name === "published" ? Math.ceil(asked / PUBLISHED_PART[kind]) : asked;
			return {
				sample: () =>
					withConnections(server.port, 1, async (connections) => {
						const [connection] = connections as [HttpConnection];
						const [id] = await createActors(server.port, `${kind}-${actors++}-`, 1, "counting");
						await connection.call(actionRequest(id!, "reset"));
						if (kind === "backlog") await fill(server.port, id!, count);
						const before = await server.stats();
						const go = count * 10 + KINDS.indexOf(kind);
						await connection.call(messageRequest(id!, "go", go));
						const runs = await finalRuns(connection, id!, count);
						const after = await server.stats();
						const spanMs = outputOf(await connection.call(actionRequest(id!, "spanMs")));
						return {
							value: ((count - 1) * 1_000) / spanMs,
							details: {
								extraRuns: ((runs - count) * 100) / count,
								cpuMicros: (after.cpuMicros - before.cpuMicros) / count,
							},
						};
					}),
				verify: async () => {},
				close: async () => {},
			};
		},
	};
}

/** All messages are stored before the workflow begins. */
function fill(port: number, id: string, count: number): Promise<void> {
	let sent = 0;
	return withConnections(port, SENDERS, async (connections) => {
		await Promise.all(
			connections.map(async (connection) => {
				while (sent < count) await connection.call(messageRequest(id, "work", sent++));
			}),
		);
	});
}

/** Waits until the loop has come to its end, or does not go on. */
async function finalRuns(connection: HttpConnection, id: string, count: number): Promise<number> {
	let [runs, quiet] = [0, 0];
	while (runs < count) {
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
		const now = outputOf(await connection.call(actionRequest(id, "runs")));
		quiet = now === runs ? quiet + 1 : 0;
		runs = now;
		if (quiet > QUIET_POLLS) throw new Error(`stands still after ${runs} of ${count} steps`);
	}
	return runs;
}
