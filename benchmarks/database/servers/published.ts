// The published package, on its local server with its file storage.

import { actor, setup } from "rivetkit-published";
import { db } from "rivetkit-published/db";
import { announce } from "../../src/servers/child.ts";
import { freePort, whenServing } from "../../src/servers/free-port.ts";
import { doWork, SCHEMA, type WorkName } from "../work.ts";

const database = actor({
	db: db({
		onMigrate: async (sql) => {
			await sql.execute(SCHEMA);
		},
	}),
	options: { noSleep: true, actionTimeout: 600_000 },
	actions: {
		work: (c, name: WorkName, count: number) =>
			doWork(
				{
					execute: (sql, ...parameters) => c.db.execute(sql, ...parameters),
					transaction: async (work) => {
						await c.db.execute("BEGIN");
						await work({ execute: (sql, ...parameters) => c.db.execute(sql, ...parameters) });
						await c.db.execute("COMMIT");
					},
				},
				name,
				count,
			),
		nothing: () => 0,
	},
});

const port = await freePort();
const registry = setup({
	use: { database },
	noWelcome: true,
	logging: { level: "error" },
	managerPort: port,
	managerHost: "127.0.0.1",
	inspector: { enabled: false },
	...(process.env.BENCH_STORAGE ? { storagePath: process.env.BENCH_STORAGE } : {}),
});
registry.start();
await whenServing(port, "database");
announce(port);
