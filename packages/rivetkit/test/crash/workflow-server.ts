// A server process that ends itself by SIGKILL at one of its commits. A workflow takes orders from its queue and
// works on each with steps, a join, a race and a timer; for each that fails, another one books, fails and undoes all of it.
import { appendFileSync } from "node:fs";
import { type CommitBatch, openSqliteStore } from "@rivetkit/engine";
import { systemClock, systemRandom } from "@rivetkit/protocol";
import { erasedConfig } from "../../src/actor/erased.ts";
import { startEmbedded } from "../../src/backends/embedded/embedded.ts";
import { actor, queue } from "../../src/index.ts";
import { Loop, workflow } from "../../src/workflow/index.ts";
import { recordingLogger } from "../support/test-runtime.ts";
import { killing } from "./killing-store.ts";

const [directory, port, killAt, killWhen] = process.argv.slice(2) as [
	string,
	string,
	string,
	string,
];

/** What happens outside of the actor, one line each. */
const outside = (line: string) => appendFileSync(`${directory}/outside.log`, `${line}\n`);

const shop = actor({
	state: { orders: [] as number[], joined: 0, ticks: 0, refused: 0 },
	queues: { orders: queue<{ id: number; fails: boolean }, number>() },
	run: workflow(async (ctx) => {
		await ctx.loop("orders", async (loop) => {
			const message = await loop.queue.next("next", { completable: true });
			const { id, fails } = message.body;
			const key = await loop.step("key", (c) => {
				outside(`key ${id} ${c.idempotencyKey}`);
				return c.idempotencyKey;
			});
			const joined = await loop.join("both", {
				a: { run: (branch) => branch.step("a", () => 1) },
				b: {
					run: (branch) =>
						branch.step({
							name: "b",
							retryBackoffBase: 1,
							run: (c) => {
								if (c.attempt === 1) throw new Error("once");
								return key.length;
							},
						}),
				},
			});
			const first = await loop.race("first", [
				{ name: "tick", run: (branch) => branch.sleep("t", 2) },
				{ name: "never", run: (branch) => branch.sleep("n", 1e9) },
			]);
			const result = await loop.tryStep({
				name: "work",
				maxRetries: 0,
				run: async (c) => {
					if (fails) throw new Error("refused");
					await new Promise((resolve) => setImmediate(resolve));
					c.state.orders.push(id);
					c.state.joined += joined.a;
					if (first.winner === "tick") c.state.ticks += 1;
					await message.complete(id);
				},
			});
			if (result.ok) return;
			await loop.step("refuse", async (c) => {
				await (c.client() as never as Client).trip.getOrCreate([String(id)]).get();
				c.state.refused += 1;
				await message.complete(-id);
			});
		});
	}),
	actions: {
		get: (c) => ({ ...c.state, orders: [...c.state.orders], waiting: c.queue.size() }),
		status: (c) => c.workflow.status(),
	},
});

interface Client {
	readonly trip: { getOrCreate(key: string[]): { get(): Promise<unknown> } };
}

/** One workflow for each order that was refused: it books in a branch, in an iteration and at the root, fails, and undoes all. */
const trip = actor({
	state: { booked: [] as string[], undone: [] as string[] },
	run: workflow(async (ctx) => {
		const book = (what: string) => ({
			name: what,
			run: (c: { state: { booked: string[] } }) => void c.state.booked.push(what),
			rollback: (c: { state: { booked: string[]; undone: string[] } }) => {
				c.state.booked = c.state.booked.filter((other) => other !== what);
				c.state.undone.push(what);
			},
		});
		await ctx.rollbackCheckpoint("trip");
		await ctx.step(book("flight"));
		await ctx.join("both", { hotel: { run: (branch) => branch.step(book("hotel")) } });
		await ctx.loop("cars", async (loop) => {
			await loop.step(book("car"));
			return Loop.break();
		});
		await ctx.sleep("a moment", 1);
		await ctx.step({
			name: "pay",
			maxRetries: 0,
			run: () => Promise.reject(new Error("no money")),
		});
	}),
	actions: { get: (c) => ({ ...c.state, status: c.workflow.status().state }) },
});

const kindOf = ({ ops }: CommitBatch): string => {
	const has = (first: number, op = "put") =>
		ops.some((other) => other.op === op && "key" in other && other.key[0] === first);
	const kinds = [
		has(0x10) ? "enqueue" : "",
		has(0x14) ? "entries" : "",
		has(0x01) ? "state" : "",
		has(0x10, "delete") ? "remove" : "",
	];
	return kinds.filter((kind) => kind !== "").join("+") || "other";
};

/** Errors are in what the test shows when it fails. */
function printing(log: ReturnType<typeof recordingLogger>): typeof log {
	const error = (fields: object | string, message?: string) =>
		console.log("error", message, (fields as { err?: Error }).err?.stack ?? fields);
	return { ...log, error: error as typeof log.error, child: (more) => printing(log.child(more)) };
}

const { engine } = startEmbedded({
	store: killing(await openSqliteStore({ directory: `${directory}/store` }), {
		at: Number(killAt),
		when: killWhen,
		kindOf,
	}),
	definitions: new Map([
		["shop", erasedConfig(shop)],
		["trip", erasedConfig(trip)],
	]),
	clock: systemClock(),
	random: systemRandom(),
	log: printing(recordingLogger([])),
	messageLimits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 1_048_576 },
	version: "0.0.0-test",
	namespace: "default",
	exposeErrors: () => false,
	publicUrl: () => `http://127.0.0.1:${port}`,
});
const { url } = await engine.listen({ port: Number(port) });
console.log(`listening ${url}`);
