// `kill -9` at every commit of a run loop that moves money between two accounts (contract: L42 to L44).
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { killsOf } from "./kills-of.ts";
import { ServerProcess } from "./server-process.ts";

/** Servers die at their first commit, their second, and so on: all there are in one round of a message. */
const COMMITS = 6;
const MOMENTS = ["before", "during", "after", "late"] as const;
const KILLS = killsOf(MOMENTS, COMMITS);
/** What some of the commits have to be about that servers die at. */
const MET = ["enqueue", "remove", "state", "kv"];
/** Shorter than a `late` commit: who waits is told that the wait is over only if the message stays. */
const WAIT_MS = 500;
const KINDS = ["completable", "plain"] as const;
const FROM = 10_000;

interface Accounts {
	from: number;
	to: number;
	/** What is on the second account, as `c.kv` has it. */
	stored: number;
	moves: number;
	waiting: number;
}

interface Bank {
	accounts(): Promise<Accounts>;
	send(
		name: "moves",
		body: { id: string; amount: number },
		options: { dedupeKey: string; wait?: boolean; timeout?: number },
	): Promise<{ status: string; response?: number } | undefined>;
}

it("keeps totals exact however often and wherever the process is killed", async () => {
	const data = await mkdtemp(join(tmpdir(), "money-"));
	const port = await freePort();
	const client = createClient({ endpoint: `http://127.0.0.1:${port}` });
	const killed = new Map<string, number>();
	let server: ServerProcess | null = null;
	let kills = 0;
	let sent = 0;
	let total = 0;
	let isSending = true;
	let isOver = false;
	const banks = KINDS.map((kind) => client.bank!.getOrCreate([kind]) as unknown as Bank);

	/** Sends one move, as often as it needs: a dedupe key makes it one message. */
	const send = async (bank: Bank, id: string, amount: number, options: object): Promise<void> => {
		for (;;) {
			try {
				await bank.send("moves", { id, amount }, { dedupeKey: id, ...options });
				return;
			} catch {
				// Nobody knows whether it was stored.
				if (isOver) return;
			}
		}
	};

	/** Sends moves, a few at a time, so that there is a backlog. */
	const sending = async (): Promise<void> => {
		while (isSending) {
			const moves = Array.from({ length: 3 }, () => {
				const amount = 1 + (sent % 5);
				total += amount;
				const options = sent % 3 === 0 ? { wait: true, timeout: WAIT_MS } : {};
				const id = `move ${sent++}`;
				return banks.map((bank) => send(bank, id, amount, options));
			});
			await Promise.all(moves.flat());
		}
	};

	let senders: Promise<void> | null = null;
	try {
		const isMet = (kind: string) => [...killed.keys()].join(" ").includes(kind);
		for (const [round, { moment, commit }] of [...KILLS.plan, ...KILLS.rest].entries()) {
			if (round >= KILLS.plan.length && MET.every(isMet)) break;
			kills = round + 1;
			server = new ServerProcess("money-server.ts", [data, String(port), String(commit), moment]);
			await server.start().catch((error: Error) => {
				// Work that waited at its start may have killed it before it listened.
				if (!error.message.includes("SIGKILL")) throw error;
			});
			senders ??= sending();
			await server.exited();
			const { output } = server;
			const [, kind] = /^killed \w+ (.*)$/m.exec(output) ?? [];
			expect(kind, output).toBeDefined();
			killed.set(`${moment} ${kind}`, (killed.get(`${moment} ${kind}`) ?? 0) + 1);
		}
		server = new ServerProcess("money-server.ts", [data, String(port), "0", "never"]);
		await server.start();
		isSending = false;
		await senders;
		for (const [index, bank] of banks.entries()) {
			const accounts = await eventually(async () => {
				const found = await bank.accounts();
				expect(found.waiting).toBe(0);
				return found;
			});
			expect(accounts, KINDS[index]!).toEqual({
				from: FROM - total,
				to: total,
				stored: total,
				moves: sent,
				waiting: 0,
			});
		}
		const outside = (await readFile(join(data, "outside.log"), "utf8")).trim().split("\n");
		for (const kind of KINDS) {
			const mine = outside.filter((line) => line.startsWith(kind));
			// Nothing is skipped. What happens outside of the actor may happen again, after a crash only.
			expect(new Set(mine).size).toBe(sent);
			expect(mine.length - sent).toBeLessThanOrEqual(kills);
		}
		console.log(
			`${sent} moves, killed at: ${[...killed].map(([kind, n]) => `${kind} ${n}`).join(", ")}`,
		);
		expect(MET.filter((kind) => !isMet(kind))).toEqual([]);
	} finally {
		isSending = false;
		isOver = true;
		await server?.end("SIGKILL");
		await client.dispose();
		await rm(data, { recursive: true, force: true });
	}
}, 600_000);
