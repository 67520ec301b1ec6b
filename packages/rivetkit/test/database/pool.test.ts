import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

// Databases that nobody uses are closed and open by themselves (maxOpenDatabases).

const OPEN_MAX = 5;

function shelf() {
	const goOn = new Gate();
	const subject = actor({
		db: db({ onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")) }),
		options: { noSleep: true },
		actions: {
			add: async (c, a: number) => void (await c.db.execute("INSERT INTO t VALUES (?)", a)),
			sum: async (c) => (await c.db.execute<{ s: number }>("SELECT sum(a) AS s FROM t"))[0]!.s,
			temporary: async (c) =>
				void (await c.db.execute("CREATE TEMP TABLE temp_t AS SELECT 7 AS a")),
			readTemporary: (c) => c.db.execute("SELECT a FROM temp_t"),
			keysOff: async (c) =>
				void (await c.db.execute("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON")),
			keysOffInside: (c) =>
				c.db.transaction(async (tx) => void (await tx.execute("PRAGMA foreign_keys = OFF"))),
			settings: async (c) => [
				await c.db.execute("PRAGMA foreign_keys"),
				await c.db.execute("PRAGMA recursive_triggers"),
			],
			hold: (c) =>
				c.db.transaction(async (tx) => {
					await tx.execute("INSERT INTO t VALUES (1000)");
					await goOn.passed;
				}),
		},
	});
	return { subject, goOn };
}

type Shelf = Record<string, (...args: unknown[]) => Promise<unknown>>;

async function open(subject: Parameters<typeof TestRuntime.start>[0][string]) {
	const directory = await temporaryDirectory();
	const runtime = await TestRuntime.start(
		{ subject },
		{ dataDirectory: directory.path, maxOpenDatabases: OPEN_MAX },
	);
	const client = runtime.localClient();
	/** Descriptors of this process below the directory, as the system knows them. */
	const descriptors = () =>
		fs
			.readdirSync("/proc/self/fd")
			.map((descriptor) => {
				try {
					return fs.readlinkSync(join("/proc/self/fd", descriptor));
				} catch {
					return "";
				}
			})
			.filter((path) => path.startsWith(directory.path));
	return {
		runtime,
		descriptors,
		of: (key: number) => client.subject!.getOrCreate([`${key}`]) as unknown as Shelf,
		[Symbol.asyncDispose]: async () => {
			await runtime[Symbol.asyncDispose]();
			await directory[Symbol.asyncDispose]();
		},
	};
}

const hasProc = fs.existsSync("/proc/self/fd");

describe("open databases", () => {
	it.runIf(hasProc)("are bounded, whoever comes in whatever order, and lose nothing", async () => {
		const { subject } = shelf();
		await using setting = await open(subject);
		for (let round = 0; round < 3; round++) {
			for (let key = 0; key < 20; key++) await setting.of((key * 7) % 20).add!(round + 1);
			const files = new Set(setting.descriptors().map((path) => path.replace(/-(wal|shm)$/, "")));
			expect(files.size).toBeLessThanOrEqual(OPEN_MAX);
		}
		expect(setting.descriptors().length).toBeLessThanOrEqual(OPEN_MAX * 5);
		const sums = await Promise.all(
			Array.from({ length: 20 }, (_unused, key) => setting.of(key).sum!()),
		);
		expect(sums).toEqual(Array<number>(20).fill(6));
		expect(
			setting.runtime.log.filter(({ level }) => level === "warn" || level === "error"),
		).toEqual([]);
	});

	it.runIf(hasProc)("leave no descriptor behind", async () => {
		const { subject } = shelf();
		const setting = await open(subject);
		for (let key = 0; key < 10; key++) await setting.of(key).add!(1);
		await setting[Symbol.asyncDispose]();
		expect(setting.descriptors()).toEqual([]);
	});

	it("that hold a transaction or temporary tables stay, and one warning says so", async () => {
		const { subject, goOn } = shelf();
		await using setting = await open(subject);
		await setting.of(0).temporary!();
		const holding = Array.from({ length: OPEN_MAX }, (_unused, key) => setting.of(key + 1).hold!());
		for (let key = 10; key < 20; key++) await setting.of(key).add!(1);
		expect(await setting.of(0).readTemporary!()).toEqual([{ a: 7 }]);
		goOn.open();
		await Promise.all(holding);
		expect(await setting.of(1).sum!()).toBe(1_000);
		const warnings = setting.runtime.log.filter(({ level }) => level === "warn");
		expect(warnings).toMatchObject([
			{ message: expect.stringContaining("maxOpenDatabases"), fields: { limit: OPEN_MAX } },
		]);
	});

	it("keep the settings of their connection", async () => {
		const { subject } = shelf();
		await using setting = await open(subject);
		await setting.of(0).keysOff!();
		// SQLite takes no notice of it there, now or later.
		await setting.of(1).keysOffInside!();
		for (let round = 0; round < 3; round++) {
			for (let key = 0; key < 15; key++) await setting.of(key).add!(1);
		}
		expect(await setting.of(0).settings!()).toEqual([
			[{ foreign_keys: 0 }],
			[{ recursive_triggers: 1 }],
		]);
		expect(await setting.of(1).settings!()).toEqual([
			[{ foreign_keys: 1 }],
			[{ recursive_triggers: 0 }],
		]);
	});
});
