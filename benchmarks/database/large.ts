/**
 * One actor with a large database: how long it takes to open with a clean working file and without one,
 * and how much is read for it.
 *
 *     node benchmarks/database/large.ts [MiB] [folder on a real disk]
 */
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actor, setup } from "rivetkit";
import { db } from "rivetkit/db";

const mebibytes = Number(process.argv[2] ?? 1_024);
const folder = fs.mkdtempSync(join(process.argv[3] ?? tmpdir(), "bench-large-"));
const databases = join(folder, "databases");
/** Written per action: what one commit may change is limited. */
const STEP = 32;

const large = actor({
	db: db({
		onMigrate: async (sql) => {
			await sql.execute("CREATE TABLE IF NOT EXISTS blobs (id INTEGER PRIMARY KEY, data BLOB)");
		},
	}),
	options: { startTimeout: 600_000, actionTimeout: 600_000 },
	actions: {
		fill: async (c, count: number) => {
			await c.db.execute(
				`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO blobs (data) SELECT randomblob(4000) FROM n`,
			);
		},
		read: async (c, id: number) =>
			(await c.db.execute<{ n: number }>("SELECT length(data) AS n FROM blobs WHERE id = ?", id))[0]
				?.n,
		write: async (c) => {
			await c.db.execute("INSERT INTO blobs (data) VALUES ('one')");
		},
		nap: (c) => c.sleep(),
	},
});

const registry = setup({
	use: { large },
	storagePath: folder,
	noWelcome: true,
	managerPort: 0,
	logging: { level: "error" },
});
const { client } = registry.start();
const handle = client.large.getOrCreate(["one"]);

const workingFile = () => fs.readdirSync(databases).find((name) => name.endsWith(".sqlite"));

/** Lets the actor sleep, and waits until its file is closed. */
async function sleepOnce(): Promise<void> {
	const file = join(databases, workingFile()!);
	await handle.nap();
	const isClosed = () =>
		!fs.existsSync(`${file}-wal`) &&
		fs.readFileSync(`${file}.mark`, "utf8").includes('"synced":true');
	while (!isClosed()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Bytes that this process has read from files so far, cached or not. */
const bytesRead = () => Number(/rchar: (\d+)/.exec(fs.readFileSync("/proc/self/io", "utf8"))![1]);

async function report(title: string, work: () => Promise<unknown>): Promise<void> {
	const [read, began] = [bytesRead(), performance.now()];
	await work();
	const tookMs = performance.now() - began;
	const megabytes = (bytesRead() - read) / 1e6;
	console.log(`| ${title} | ${tookMs.toFixed(1)} | ${megabytes.toFixed(1)} |`);
}

try {
	console.log(`| ${mebibytes} MiB | ms | MB read |\n|---|---|---|`);
	await report("written by actions of 32 MiB, durable", async () => {
		for (let done = 0; done < mebibytes; done += STEP) await handle.fill((STEP * 1_024) / 4);
	});
	await report("asleep: log copied, file synced", sleepOnce);
	// The store's own checkpoint, in a thread of this process, would be counted as well.
	await new Promise((resolve) => setTimeout(resolve, 5_000));
	await report("woken, one row read, clean working file", () => handle.read(12_345));
	await report("one row written, durable", () => handle.write());
	await report("asleep", sleepOnce);
	fs.rmSync(databases, { recursive: true });
	await report("woken, one row read, working file written again from pages", () =>
		handle.read(12_345),
	);
	console.log(`\nresident: ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB`);
} finally {
	await registry.shutdown();
	fs.rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
