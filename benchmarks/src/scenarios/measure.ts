import { type HttpConnection, withConnections } from "../load/http-connection.ts";
import type { ServerProcess } from "../server-process.ts";
import { Latencies } from "../statistics.ts";
import type { Sample } from "./scenario.ts";

/** What a load tells the measurement. */
export interface Tally {
	/** Whether to begin another operation. */
	readonly isOpen: () => boolean;
	/** `operations` done, begun at `beganMs` (performance.now). */
	done(operations: number, beganMs: number): void;
}

/**
 * Runs a closed loop for a time. The load resolves when what it had begun is finished, and all of it
 * counts, over the time until then: a sample of few long operations is as exact as one of many short
 * ones. The server's processor time is read around it.
 */
export async function measure(
	server: ServerProcess,
	durationMs: number,
	load: (tally: Tally) => Promise<void>,
): Promise<Sample> {
	const latencies = new Latencies();
	let operations = 0;
	const before = await server.stats();
	const startMs = performance.now();
	const endMs = startMs + durationMs;
	await load({
		isOpen: () => performance.now() < endMs,
		done(count, beganMs) {
			operations += count;
			latencies.add(performance.now() - beganMs);
		},
	});
	const elapsedMs = performance.now() - startMs;
	const after = await server.stats();
	return {
		value: (operations * 1_000) / elapsedMs,
		details: {
			...latencies.summary(),
			cpuMicros: (after.cpuMicros - before.cpuMicros) / operations,
		},
	};
}

/** {@link measure} with HTTP connections that are open for this sample only. */
export function measureConnections(
	server: ServerProcess,
	count: number,
	durationMs: number,
	load: (tally: Tally, connections: readonly HttpConnection[]) => Promise<void>,
): Promise<Sample> {
	return withConnections(server.port, count, (connections) =>
		measure(server, durationMs, (tally) => load(tally, connections)),
	);
}
