import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { ServerProcess } from "./server-process.ts";

const ACTORS = 6;
const CLIENTS = 12;
const KILLS = 3;
/** Acknowledged transfers between two kills, so that each kill hits a server at work. */
const PROGRESS_PER_ROUND = 80;

interface Ledger {
	transfer(amount: number, id: string): Promise<void>;
	transferAtOnce(amount: number, id: string): Promise<void>;
	touch(): Promise<void>;
	read(): Promise<{
		cash: number;
		transfers: number;
		saved: number;
		begun: [string, string][];
		done: [string, string][];
	}>;
}

it(`state and kv change together or not at all: ${CLIENTS} clients, ${ACTORS} actors, kill -9`, async () => {
	const data = await mkdtemp(join(tmpdir(), "crash-atomic-"));
	const port = await freePort();
	const server = new ServerProcess("ledger-server.ts", [data, String(port)]);
	const endpoint = `http://127.0.0.1:${port}`;
	await server.start();

	/** Ids of transfers by actor, and whether the caller was told that they are done. */
	const acknowledged = Array.from({ length: ACTORS }, () => new Set<string>());
	let total = 0;
	let refused = 0;
	let stop = false;
	const clients = Array.from({ length: CLIENTS }, () => createClient({ endpoint }));

	const ledgerOf = (client: (typeof clients)[number], number: number) =>
		client.ledger!.getOrCreate([`ledger ${number}`]) as unknown as Ledger;

	const work = async (index: number): Promise<void> => {
		for (let turn = 0; !stop; turn++) {
			const number = (index + turn) % ACTORS;
			const ledger = ledgerOf(clients[index]!, number);
			const isAtomic = turn % 2 === 1;
			const id = `${isAtomic ? "atomic" : "once"}/${index}/${turn}`;
			const amount = 1 + (turn % 5);
			try {
				if (turn % 4 === 3) await ledger.touch();
				if (isAtomic) await ledger.transfer(amount, id);
				else await ledger.transferAtOnce(amount, id);
				acknowledged[number]!.add(id);
				total++;
			} catch {
				refused++;
			}
		}
	};

	const check = async (): Promise<void> => {
		const client = createClient({ endpoint });
		for (let number = 0; number < ACTORS; number++) {
			const ledger = await ledgerOf(client, number).read();
			const name = `ledger ${number}`;
			const idOf = ([key, amount]: [string, string]) => `${key.split(" ")[1]} ${amount}`;
			const sumOf = (entries: [string, string][]) =>
				entries.reduce((sum, [, amount]) => sum + Number(amount), 0);
			expect(ledger.begun.map(idOf), name).toEqual(ledger.done.map(idOf));
			expect(ledger, name).toMatchObject({
				cash: -sumOf(ledger.done) + 0,
				saved: sumOf(ledger.done.filter(([key]) => key.includes("atomic"))),
				transfers: ledger.done.length,
			});
			const done = new Set(ledger.done.map(([key]) => key.slice("done ".length)));
			expect(
				[...acknowledged[number]!].filter((id) => !done.has(id)),
				name,
			).toEqual([]);
		}
		await client.dispose();
	};

	const working = clients.map((_client, index) => work(index));
	try {
		for (let kill = 0; kill <= KILLS; kill++) {
			const goal = total + PROGRESS_PER_ROUND;
			await eventually(() => expect(total).toBeGreaterThan(goal));
			if (kill === KILLS) break;
			await server.end("SIGKILL");
			await server.start();
		}
		stop = true;
		await Promise.all(working);
		await check();
		console.log(`${total} transfers acknowledged, ${refused} refused, ${KILLS} kills`);
		// A third of the odd ones fail on purpose.
		expect(refused).toBeGreaterThan(0);
	} finally {
		stop = true;
		await Promise.all(clients.map((client) => client.dispose()));
		await Promise.allSettled(working);
		await server.end("SIGKILL");
		await rm(data, { recursive: true, force: true });
	}
});
