// The same registry in one process once for each setting, on a port each.

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { actor, queue, setup } from "rivetkit";
import { db } from "rivetkit/db";
import { freePort, whenServing } from "../src/servers/free-port.ts";
import { SETTINGS, type ServerRequest } from "./server-request.ts";

const folder = process.env.BENCH_STORAGE;
if (folder === undefined || process.send === undefined)
	throw new Error("this file is started by the benchmark, not by hand");

const counter = actor({
	state: { count: 0 },
	options: { noSleep: true },
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		incrementLater: async (c, amount: number) => {
			await undefined;
			c.state.count += amount;
			return c.state.count;
		},
	},
});

const worker = actor({
	state: { count: 0 },
	queues: { add: queue<number>() },
	options: { noSleep: true },
	run: async (c) => {
		for await (const message of c.queue.iter({ names: ["add"] })) c.state.count += message.body;
	},
});

const ledger = actor({
	db: db({
		onMigrate: async (database) => {
			await database.execute("CREATE TABLE IF NOT EXISTS entries (amount INTEGER)");
		},
	}),
	options: { noSleep: true },
	actions: {
		enter: async (c, amount: number) => {
			await c.db.execute("INSERT INTO entries VALUES (?)", amount);
		},
	},
});

type Telemetry = Pick<Parameters<typeof setup>[0], "traces" | "metrics">;

const OFF: Telemetry = { traces: { enabled: false }, metrics: { enabled: false } };

async function start(storage: string, maxPerSecond: number): Promise<number[]> {
	const settings: Readonly<Record<(typeof SETTINGS)[number], Telemetry>> = {
		nothing: OFF,
		"nothing again": OFF,
		metrics: { traces: { enabled: false } },
		"metrics and traces": { traces: { enabled: true, maxPerSecond } },
	};
	const ports: number[] = [];
	for (const name of SETTINGS) {
		const port = await freePort();
		setup({
			use: { counter, worker, ledger },
			noWelcome: true,
			handleSignals: false,
			logging: { level: "error" },
			managerPort: port,
			managerHost: "127.0.0.1",
			storagePath: mkdtempSync(join(storage, "registry-")),
			...settings[name],
		}).start();
		await whenServing(port);
		ports.push(port);
	}
	return ports;
}

process.on("disconnect", () => process.exit(0));
process.on("message", ({ maxPerSecond }: ServerRequest) => {
	if (maxPerSecond === undefined) {
		const { user, system } = process.threadCpuUsage();
		process.send!(user + system);
		return;
	}
	void start(folder, maxPerSecond).then((ports) => process.send!(ports));
});
