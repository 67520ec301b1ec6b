import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { createClient } from "../../src/client/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";

const ACTORS = 8;
const CALLERS = 24;
const CALLS_EACH = 40;
const KEYS = Array.from({ length: ACTORS }, (_, index) => `storm ${index}`);

interface Counter {
	add(by: number): Promise<number>;
	slowAdd(by: number): Promise<number>;
	nap(by: number): Promise<number>;
	total(): Promise<number>;
}

const yields = (turns: number): Promise<void> =>
	new Promise((resolve) => {
		const next = (left: number) => (left === 0 ? resolve() : setImmediate(next, left - 1));
		next(turns);
	});

let starts = 0;
let sleeps = 0;

const counter = actor({
	state: { total: 0 },
	// So short that actors fall asleep between two calls as well as under them.
	options: { sleepTimeout: 1 },
	onWake: () => void starts++,
	onSleep: async () => {
		sleeps++;
		await yields(sleeps % 4);
	},
	onRequest: async (c, request) => {
		const by = Number(await request.text());
		c.state.total += by;
		return new Response("counted");
	},
	actions: {
		add: (c, by: number) => {
			c.state.total += by;
			return c.state.total;
		},
		slowAdd: async (c, by: number) => {
			await yields(by);
			c.state.total += by;
			return c.state.total;
		},
		nap: (c, by: number) => {
			c.sleep();
			c.state.total += by;
			return c.state.total;
		},
		total: (c) => c.state.total,
	},
});

/**
 * A request that arrives while its actor goes to sleep is served by the next incarnation: over HTTP, over
 * a connection and raw, with sleeps asked for by the actor, by the engine, and for idleness.
 */
it(`${CALLERS * CALLS_EACH} calls to ${ACTORS} actors that sleep at random are all served, each once`, async () => {
	await using runtime = await TestRuntime.start({ counter });
	const clients = (["bare", "cbor", "json"] as const).map((encoding) =>
		createClient({ endpoint: runtime.url, encoding }),
	);
	const ids = await Promise.all(KEYS.map((key) => runtime.actorId("counter", key)));
	let sum = 0;
	let isOver = false;

	const call = async (caller: number): Promise<void> => {
		const key = KEYS[caller % ACTORS]!;
		const handle = clients[caller % clients.length]!.counter!.getOrCreate([key]);
		const target = (caller % 3 === 0 ? handle.connect() : handle) as unknown as Counter;
		for (let turn = 0; turn < CALLS_EACH; turn++) {
			const by = 1 + ((caller + turn) % 5);
			const kind = (caller * 7 + turn * 3) % 11;
			if (kind === 0) await target.nap(by);
			else if (kind < 5) await target.slowAdd(by);
			else if (kind === 5) {
				const url = `${runtime.url}/gateway/${ids[caller % ACTORS]}/request/`;
				const response = await fetch(url, { method: "POST", body: `${by}` });
				expect([response.status, await response.text()]).toEqual([200, "counted"]);
			} else await target.add(by);
			sum += by;
			if (kind % 4 === 1) await yields(turn % 7);
		}
	};

	const evict = async (): Promise<void> => {
		for (let turn = 0; !isOver; turn++) {
			void runtime.embedded.host.stop(ids[(turn * 5) % ACTORS]!, "sleep");
			await yields(5 + (turn % 13));
		}
	};

	const evicting = evict();
	const callers = Array.from({ length: CALLERS }, (_, caller) => caller);
	await Promise.all(callers.map(call));
	isOver = true;
	await evicting;
	const totals = await Promise.all(
		KEYS.map((key) => (clients[0]!.counter!.getOrCreate([key]) as unknown as Counter).total()),
	);
	expect(totals.reduce((left, right) => left + right)).toBe(sum);
	expect(sleeps).toBeGreaterThan(10 * ACTORS);
	// Actors that idle at the very end may all have fallen asleep again.
	expect(starts).toBeGreaterThanOrEqual(sleeps);
	expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
	await Promise.all(clients.map((client) => client.dispose()));
});
