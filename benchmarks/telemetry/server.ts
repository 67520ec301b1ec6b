// One registry, with one of the settings.

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { actor, queue, setup } from "rivetkit";
import { db } from "rivetkit/db";
import { freePort, whenServing } from "../src/servers/free-port.ts";
import type { ServerRequest, Setting } from "./server-request.ts";

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

const settingsOf = (maxPerSecond: number): Readonly<Record<Setting, Telemetry>> => ({
	nothing: OFF,
	"nothing again": OFF,
	metrics: { traces: { enabled: false } },
	"metrics and traces": { traces: { enabled: true, maxPerSecond } },
});

async function start(storage: string, telemetry: Telemetry): Promise<number> {
	const port = await freePort();
	setup({
		use: { counter, worker, ledger },
		noWelcome: true,
		handleSignals: false,
		logging: { level: "error" },
		managerPort: port,
		managerHost: "127.0.0.1",
		storagePath: mkdtempSync(join(storage, "registry-")),
		...telemetry,
	}).start();
	await whenServing(port);
	return port;
}

process.on("disconnect", () => process.exit(0));
process.on("message", ({ start: wanted }: ServerRequest) => {
	if (wanted === undefined) {
		const { user, system } = process.threadCpuUsage();
		process.send!(user + system);
		return;
	}
	const { setting, maxPerSecond } = wanted;
	void start(folder, settingsOf(maxPerSecond)[setting]).then((port) => process.send!(port));
});
