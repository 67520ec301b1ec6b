// This repository's package, on its embedded engine: answers when it is on disk.

import { actor, setup } from "rivetkit";
import { db } from "rivetkit/db";
import { announce } from "../../src/servers/child.ts";
import { freePort, whenServing } from "../../src/servers/free-port.ts";
import { doWork, SCHEMA, type WorkName } from "../work.ts";

const database = actor({
	db: db({ onMigrate: async (sql) => void (await sql.execute(SCHEMA)) }),
	options: { noSleep: true },
	actions: {
		work: (c, name: WorkName, count: number) => doWork(c.db, name, count),
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
	...(process.env.BENCH_STORAGE ? { storagePath: process.env.BENCH_STORAGE } : {}),
});
registry.start();
await whenServing(port, "database");
announce(port);
