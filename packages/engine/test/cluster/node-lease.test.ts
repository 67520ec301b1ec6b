// How a node gets its lease while PostgreSQL is slow.
import { expect, it, onTestFinished } from "vitest";
import { ClusterClock } from "../../src/cluster/cluster-clock.ts";
import { NodeLease } from "../../src/cluster/node-lease.ts";
import type { NodeRows } from "../../src/store/postgres/node-rows.ts";

const LEASE_MS = 200;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A lease over rows that do what a test says. */
function lease(rows: Partial<NodeRows>) {
	const events: string[] = [];
	const warned: object[] = [];
	const noted = () => {};
	const one = new NodeLease({
		rows: {
			connect: async () => {},
			register: async () => ({ epoch: 1, nowMs: Date.now() }),
			renew: async () => ({ isHeld: true, nowMs: Date.now(), nodes: [] }),
			reap: async () => 0,
			hint: async () => {},
			leave: async () => {},
			close: async () => {},
			...rows,
		} as unknown as NodeRows,
		clock: new ClusterClock(),
		logger: { debug: noted, info: noted, warn: (given) => void warned.push(given), error: noted },
		leaseMs: LEASE_MS,
		describe: () => ({ name: "a", address: "", version: "", names: [] }),
		actors: () => 0,
		onHeld: (epoch) => void events.push(`held ${epoch}`),
		onLost: () => void events.push("lost"),
		onNodes: () => {},
		onReaped: () => {},
	});
	onTestFinished(() => one.stop());
	return { one, events, warned };
}

it("the time that the connection takes is not taken from the lease", async () => {
	let isOpen = false;
	const connect = async () => {
		if (!isOpen) await pause(1.5 * LEASE_MS);
		isOpen = true;
	};
	const { one, events, warned } = lease({
		connect,
		async register() {
			await connect();
			return { epoch: 1, nowMs: Date.now() };
		},
	});
	await one.start();
	expect([one.epoch, events, warned]).toEqual([1, ["held 1"], []]);
});

it("a registration that fails, or comes too late to be of use, is made again", async () => {
	let tries = 0;
	const { one, events, warned } = lease({
		async register() {
			tries++;
			if (tries === 1) throw new Error("canceling statement due to statement timeout");
			if (tries === 2) await pause(LEASE_MS);
			return { epoch: tries, nowMs: Date.now() };
		},
	});
	await one.start();
	expect([one.epoch, events, warned.length]).toEqual([3, ["held 3"], 2]);
});

it("one that goes on failing is told in the end", async () => {
	let tries = 0;
	const { one } = lease({
		async register() {
			tries++;
			throw new Error("broken");
		},
	});
	await expect(one.start()).rejects.toThrow("broken");
	expect(tries).toBe(10);
});
