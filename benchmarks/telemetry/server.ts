// The same registry four times in one process, on a port each: nothing recorded, metrics, metrics and traces.

import { actor, setup } from "rivetkit";
import { freePort, whenServing } from "../src/servers/free-port.ts";

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
	},
});

const settings: Readonly<Record<string, Pick<Parameters<typeof setup>[0], "traces" | "metrics">>> =
	{
		off: { traces: { enabled: false }, metrics: { enabled: false } },
		metrics: { traces: { enabled: false }, metrics: { enabled: true } },
		all: { traces: { enabled: true }, metrics: { enabled: true } },
		/** What differs from the first for no reason: the error of the others. */
		"off again": { traces: { enabled: false }, metrics: { enabled: false } },
	};

const ports: Record<string, number> = {};
for (const [name, telemetry] of Object.entries(settings)) {
	const port = await freePort();
	setup({
		use: { counter },
		noWelcome: true,
		handleSignals: false,
		logging: { level: "error" },
		managerPort: port,
		managerHost: "127.0.0.1",
		storagePath: `${folder}/${name}`,
		...telemetry,
	}).start();
	await whenServing(port);
	ports[name] = port;
}
process.on("disconnect", () => process.exit(0));
// Asked between turns: microseconds of all threads since the process began.
process.on("message", () => {
	const { user, system } = process.cpuUsage();
	process.send!(user + system);
});
process.send(ports);
