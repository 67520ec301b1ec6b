// `kill -9` at every commit of workflows with steps, a loop, a join, a race, timers, messages and a rollback (workflows 15, 58 to 65).
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { killsOf } from "./kills-of.ts";
import { ServerProcess } from "./server-process.ts";

/** Servers die at their first commit, their second, and so on: more than one order needs. */
const COMMITS = 9;
const MOMENTS = ["before", "during", "after"] as const;
const { plan: KILLS } = killsOf(MOMENTS, COMMITS);
/** Enough for two orders that are refused. */
const ORDERS_MIN = 10;

interface Shop {
	get(): Promise<{
		orders: number[];
		joined: number;
		ticks: number;
		refused: number;
		waiting: number;
	}>;
	status(): Promise<unknown>;
	send(
		name: "orders",
		body: { id: number; fails: boolean },
		options: object,
	): Promise<{ status: string; response?: number } | undefined>;
}

it("does every order once, wherever its process is killed", async () => {
	const data = await mkdtemp(join(tmpdir(), "rivetkit-workflow-"));
	const port = await freePort();
	const client = createClient({ endpoint: `http://127.0.0.1:${port}` });
	const shop = client.shop!.getOrCreate(["main"]) as unknown as Shop;
	const killed = new Map<string, number>();
	const answers = new Map<number, number | undefined>();
	let server: ServerProcess | null = null;
	let sent = 0;
	let isSending = true;
	let isOver = false;

	/** Sends one order as often as it needs: a dedupe key makes it one message. */
	const order = async (id: number): Promise<void> => {
		for (;;) {
			try {
				const options = { dedupeKey: `order ${id}`, wait: id % 2 === 0, timeout: 2_000 };
				const answer = await shop.send("orders", { id, fails: id % 5 === 4 }, options);
				if (answer?.response !== undefined) answers.set(id, answer.response);
				return;
			} catch {
				// Nobody knows whether it was stored.
				if (isOver) return;
			}
		}
	};
	const sending = async (): Promise<void> => {
		while (!isOver && (isSending || sent < ORDERS_MIN))
			await Promise.all([order(sent++), order(sent++)]);
	};

	let senders: Promise<void> | null = null;
	try {
		for (const { moment, commit } of KILLS) {
			server = new ServerProcess("workflow-server.ts", [
				data,
				String(port),
				String(commit),
				moment,
			]);
			await server.start().catch((error: Error) => {
				// Work that waited at its start may have killed it before it listened.
				if (!error.message.includes("SIGKILL")) throw error;
			});
			senders ??= sending();
			const { output } = await diedBy(server).catch(async (error: Error) => {
				const status = JSON.stringify(await shop.status().catch(String));
				throw new Error(`${moment} ${commit}, ${sent} sent, ${status}: ${error.message}`);
			});
			const [, kind] = /killed (\S+ \S+)/.exec(output) ?? [];
			killed.set(kind!, (killed.get(kind!) ?? 0) + 1);
		}
		server = new ServerProcess("workflow-server.ts", [data, String(port), "0", "never"]);
		await server.start();
		isSending = false;
		await senders;
		const total = sent;
		const refused = Array.from({ length: total }, (_, id) => id).filter((id) => id % 5 === 4);
		await eventually(async () => {
			expect(await shop.get()).toMatchObject({ waiting: 0 });
		});
		const end = await shop.get();
		const done = Array.from({ length: total }, (_, id) => id).filter((id) => id % 5 !== 4);
		expect([...end.orders].sort((a, b) => a - b)).toEqual(done);
		expect(end).toMatchObject({
			joined: done.length,
			ticks: done.length,
			refused: refused.length,
		});
		expect(refused.length).toBeGreaterThan(0);
		// Each of them was undone, once, in reverse order.
		for (const id of refused) {
			const trip = client.trip!.getOrCreate([String(id)]) as unknown as { get(): Promise<unknown> };
			await eventually(async () => {
				expect(await trip.get()).toEqual({
					booked: [],
					undone: ["car", "hotel", "flight"],
					status: "failed",
				});
			});
		}
		for (const [id, response] of answers) expect(response).toBe(id % 5 === 4 ? -id : id);
		// Outside effects may be repeated, under one key each.
		const lines = (await readFile(`${data}/outside.log`, "utf8")).trim().split("\n");
		const keys = new Map<string, Set<string>>();
		for (const line of lines) {
			const [, id, key] = line.split(" ") as [string, string, string];
			keys.set(id, (keys.get(id) ?? new Set()).add(key));
		}
		expect(keys.size).toBe(total);
		for (const [id, used] of keys) expect([id, used.size]).toEqual([id, 1]);
		expect([...killed.values()].reduce((sum, count) => sum + count, 0)).toBe(KILLS.length);
		for (const moment of MOMENTS) {
			expect([...killed.keys()].some((kind) => kind.startsWith(`${moment} `))).toBe(true);
		}
	} finally {
		isSending = false;
		isOver = true;
		await server?.end("SIGKILL");
		await client.dispose();
		await rm(data, { recursive: true, force: true });
	}
}, 600_000);

async function diedBy(server: ServerProcess): Promise<ServerProcess> {
	await eventually(() => expect(server.isRunning, server.output).toBe(false));
	return server;
}
