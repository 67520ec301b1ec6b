import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { ServerProcess } from "./server-process.ts";

const CLIENTS = 64;
const ACTORS = 100;
const KILLS = 4;
/** Acknowledged increments between two kills, so that each kill hits a server at work. */
const PROGRESS_PER_ROUND = 600;

interface Counter {
	increment(): Promise<number>;
	slowIncrement(): Promise<number>;
	count(): Promise<number>;
}

it(`loses no acknowledged increment and applies none twice: ${CLIENTS} clients, ${ACTORS} actors, kill -9`, async () => {
	const data = await mkdtemp(join(tmpdir(), "crash-"));
	const port = await freePort();
	const server = new ServerProcess("counter-server.ts", [data, String(port)]);
	const endpoint = `http://127.0.0.1:${port}`;
	await server.start();

	const acknowledged = new Array<number>(ACTORS).fill(0);
	const unknown = new Array<number>(ACTORS).fill(0);
	let total = 0;
	let stop = false;
	const clients = Array.from({ length: CLIENTS }, (_, index) => {
		const encoding = (["bare", "cbor", "json"] as const)[index % 3]!;
		return createClient({ endpoint, encoding });
	});

	/** One client's work: every second one over a connection per actor, the others over HTTP. */
	const work = async (index: number): Promise<void> => {
		const client = clients[index]!;
		const overSocket = index % 2 === 0;
		// A few actors per client, overlapping with those of others.
		const handles = Array.from({ length: 7 }, (_, offset) => {
			const number = (index * 3 + offset * 11) % ACTORS;
			const handle = client.counter!.getOrCreate([`actor ${number}`]);
			return { number, target: (overSocket ? handle.connect() : handle) as unknown as Counter };
		});
		for (let turn = 0; !stop; turn++) {
			const { number, target } = handles[turn % handles.length]!;
			try {
				await (turn % 3 === 0 ? target.slowIncrement() : target.increment());
				acknowledged[number]!++;
				total++;
			} catch {
				// Rejected: the call may or may not have been applied, but at most once.
				unknown[number]!++;
			}
		}
	};

	const working = clients.map((_, index) => work(index));
	try {
		for (let kill = 0; kill < KILLS; kill++) {
			const goal = total + PROGRESS_PER_ROUND;
			await eventually(() => expect(total).toBeGreaterThan(goal));
			await server.end("SIGKILL");
			await server.start();
		}
		const goal = total + PROGRESS_PER_ROUND;
		await eventually(() => expect(total).toBeGreaterThan(goal));
		stop = true;
		await Promise.all(working);

		const reader = createClient({ endpoint });
		const counts = await Promise.all(
			acknowledged.map((_, number) =>
				(reader.counter!.getOrCreate([`actor ${number}`]) as unknown as Counter).count(),
			),
		);
		await reader.dispose();
		const rejected = unknown.reduce((sum, count) => sum + count, 0);
		console.log(`${total} increments acknowledged, ${rejected} rejected, ${KILLS} kills`);
		for (const [number, count] of counts.entries()) {
			expect(count, `actor ${number}: lost`).toBeGreaterThanOrEqual(acknowledged[number]!);
			const atMost = acknowledged[number]! + unknown[number]!;
			expect(count, `actor ${number}: applied twice`).toBeLessThanOrEqual(atMost);
		}
		// The client's retries carry a call over a restart that does not take longer than they do; without them a client fails
		// again and again while there is no server.
		expect(rejected).toBeLessThan(CLIENTS * KILLS);
	} finally {
		stop = true;
		await Promise.all(clients.map((client) => client.dispose()));
		await Promise.allSettled(working);
		await server.end("SIGKILL");
		await rm(data, { recursive: true, force: true });
	}
});
