/**
 * Many live actors with a small database each: descriptors and memory, with few and with many databases
 * open.
 *
 *     node --expose-gc benchmarks/database/many-actors.ts [actors] [folder on a real disk]
 */
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actor, setup } from "rivetkit";
import { db } from "rivetkit/db";

const actors = Number(process.argv[2] ?? 1_000);
const parent = process.argv[3] ?? tmpdir();
const { gc } = globalThis as { gc?: () => void };
if (gc === undefined) throw new Error("run it with --expose-gc");

const plain = actor({
	state: { n: 0 },
	options: { noSleep: true },
	actions: { add: (c) => ++c.state.n },
});
const withDatabase = actor({
	db: db({
		onMigrate: async (sql) => {
			await sql.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT)");
		},
	}),
	options: { noSleep: true },
	actions: {
		add: async (c) => {
			await c.db.execute("INSERT INTO t (a) VALUES (?)", "x".repeat(100));
			return (await c.db.execute<{ n: number }>("SELECT count(*) AS n FROM t"))[0]!.n;
		},
	},
});

async function measure(title: string, name: "plain" | "withDatabase", maxOpenDatabases: number) {
	const folder = fs.mkdtempSync(join(parent, "bench-many-"));
	const registry = setup({
		use: { plain, withDatabase },
		storagePath: folder,
		maxOpenDatabases,
		noWelcome: true,
		managerPort: 0,
		logging: { level: "error" },
		handleSignals: false,
	});
	const { client } = registry.start();
	const handles = Array.from({ length: actors }, (_unused, key) =>
		client[name].getOrCreate([`${key}`]),
	);
	const files = () => fs.readdirSync("/proc/self/fd").length;
	const settle = async () => {
		for (let round = 0; round < 4; round++) {
			gc!();
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
	};
	await client[name].getOrCreate(["warm"]).add();
	await settle();
	const [rss, open] = [process.memoryUsage.rss(), files()];
	const began = performance.now();
	for (const handle of handles) await handle.add();
	const firstMs = performance.now() - began;
	await settle();
	const kib = (process.memoryUsage.rss() - rss) / 1024 / actors;
	const again = performance.now();
	for (const handle of handles) if ((await handle.add()) !== 2) throw new Error("lost");
	const secondMs = performance.now() - again;
	console.log(
		`| ${title} | ${files() - open} | ${kib.toFixed(1)} | ${(firstMs / actors).toFixed(2)} | ${(secondMs / actors).toFixed(2)} |`,
	);
	await registry.shutdown();
	fs.rmSync(folder, { recursive: true, force: true });
}

console.log(
	`| ${actors} actors | descriptors | resident KiB each | ms per first call | ms per call in turn |\n|---|---|---|---|---|`,
);
await measure("state only", "plain", 128);
await measure("database, 128 open", "withDatabase", 128);
await measure("database, all open", "withDatabase", actors + 1);
process.exit(0);
