import fs from "node:fs";
import { join } from "node:path";
import { createMemoryStore, openSqliteStore, type Store } from "@rivetkit/engine";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import { SUBSPACE_DATABASE } from "../../src/sqlite/pages/stored-pages.ts";
import { eventually } from "../support/eventually.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf } from "../support/wire-http.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

// SQL, state and everything else are one commit; the working file is a cache (W-DB-1, W-DB-2, L23, L26).

const ledger = actor({
	state: { sum: 0 },
	db: db({
		onMigrate: async (d) => {
			await d.execute("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, amount)");
		},
	}),
	options: { stateSaveInterval: 60_000 },
	actions: {
		add: async (c, ...amounts: number[]) => {
			for (const amount of amounts) {
				await c.db.execute("INSERT INTO entries (amount) VALUES (?)", amount);
				c.state.sum += amount;
			}
			return c.state.sum;
		},
		book: async (c) => {
			const [row] = await c.db.execute<{ sum: number | null; count: number }>(
				"SELECT sum(amount) AS sum, count(*) AS count FROM entries",
			);
			return { state: c.state.sum, sum: row!.sum ?? 0, count: row!.count };
		},
		fill: async (c, rows: number) => {
			await c.db.execute(
				"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO entries (amount) SELECT zeroblob(300) FROM n",
				rows,
			);
		},
		fillDense: async (c, rows: number) => {
			await c.db.execute(
				"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO entries (amount) SELECT randomblob(3000) FROM n",
				rows,
			);
		},
		clear: (c) => c.db.execute("DELETE FROM entries; VACUUM").then(() => {}),
		integrity: (c) => c.db.execute("PRAGMA integrity_check"),
		nap: (c) => c.sleep(),
		end: (c) => c.destroy(),
	},
});

type Ledger = Record<
	"add" | "book" | "fill" | "fillDense" | "clear" | "integrity" | "nap" | "end",
	(...args: number[]) => Promise<unknown>
>;

interface Setting extends AsyncDisposable {
	readonly runtime: TestRuntime;
	readonly actor: Ledger;
	readonly actorId: string;
	readonly folder: string;
	readonly file: string;
	/** Lets the actor sleep and waits until its file is closed. */
	asleep(): Promise<void>;
}

async function start(store: Store = createMemoryStore(), data?: string): Promise<Setting> {
	const directory = data === undefined ? await temporaryDirectory() : null;
	const dataDirectory = data ?? directory!.path;
	const runtime = await TestRuntime.start({ ledger }, { store, dataDirectory, exposeErrors: true });
	const actorId = await runtime.actorId("ledger");
	const folder = join(dataDirectory, "databases");
	const file = join(folder, `${actorId}.sqlite`);
	const handle = runtime.localClient().ledger!.getForId(actorId) as unknown as Ledger;
	return {
		runtime,
		actor: handle,
		actorId,
		folder,
		file,
		asleep: async () => {
			await handle.nap();
			await eventually(() => {
				expect(runtime.embedded.host.liveActorIds).not.toContain(actorId);
				expect(fs.existsSync(`${file}-wal`)).toBe(false);
				expect(fs.existsSync(`${file}.mark`)).toBe(true);
			});
		},
		[Symbol.asyncDispose]: async () => {
			await runtime[Symbol.asyncDispose]();
			await directory?.[Symbol.asyncDispose]();
		},
	};
}

/** A store that counts the bytes of the values that were read. */
function countingReads(inner: Store): { store: Store; reading: { bytes: number } } {
	const reading = { bytes: 0 };
	const count = (value: Uint8Array | null) => {
		reading.bytes += value?.byteLength ?? 0;
	};
	const store = new Proxy(inner, {
		get: (target, property) => {
			const member: unknown = Reflect.get(target, property);
			if (typeof member !== "function") return member;
			if (property !== "get" && property !== "scan") return member.bind(target);
			return async (...args: unknown[]) => {
				const found = await (Reflect.apply(member, target, args) as Promise<unknown[]>);
				for (const entry of found) count((Array.isArray(entry) ? entry[1] : entry) as Uint8Array);
				return found;
			};
		},
	});
	return { store, reading };
}

describe("one commit", () => {
	it("has SQL and state of an action together, and nothing for an action that only reads", async () => {
		const wrapped = new WrappedStore();
		await using setting = await start(wrapped.store);
		await setting.actor.book();
		wrapped.commits.length = 0;
		expect(await setting.actor.add(1, 2, 3)).toBe(6);
		expect(wrapped.commits).toHaveLength(1);
		const subspaces = wrapped.commits[0]!.ops.map((op) => (op.op === "put" ? op.key[0] : null));
		expect(subspaces.sort()).toEqual([0x01, SUBSPACE_DATABASE]);
		wrapped.commits.length = 0;
		expect(await setting.actor.book()).toEqual({ state: 6, sum: 6, count: 3 });
		expect(wrapped.commits).toHaveLength(0);
	});

	it("is small for a few rows, wherever they are", async () => {
		const wrapped = new WrappedStore();
		await using setting = await start(wrapped.store);
		await setting.actor.fill(5_000);
		await eventually(() => expect(setting.runtime.embedded.host.unsaved).toEqual([]));
		wrapped.commits.length = 0;
		await setting.actor.add(1);
		const bytes = wrapped.commits[0]!.ops.map((op) => (op.op === "put" ? op.value.byteLength : 0));
		expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_000);
	});

	it("contains a thousand awaited inserts of one action", async () => {
		const wrapped = new WrappedStore();
		await using setting = await start(wrapped.store);
		await setting.actor.book();
		wrapped.commits.length = 0;
		await setting.actor.add(...Array.from({ length: 1_000 }, () => 1));
		expect(wrapped.commits).toHaveLength(1);
	});
});

describe("a commit that fails", () => {
	it("takes SQL and state back, fails its calls, and leaves the actor usable", async () => {
		const wrapped = new WrappedStore();
		await using setting = await start(wrapped.store);
		await setting.actor.add(10);
		wrapped.failNext(new Error("no space"));
		expect(await outcomeOf(setting.actor.add(1))).toBe("rivetkit.internal_error");
		expect(await setting.actor.book()).toEqual({ state: 10, sum: 10, count: 1 });
		expect(await setting.actor.add(5)).toBe(15);
		await setting.asleep();
		expect(await setting.actor.book()).toEqual({ state: 15, sum: 15, count: 2 });
		const messages = setting.runtime.log.map(({ message }) => message);
		expect(messages).toContain("the database is back at its last commit");
	});

	it("takes back what was written while it was in flight, too", async () => {
		const wrapped = new WrappedStore();
		await using setting = await start(wrapped.store);
		await setting.actor.add(10);
		const release = wrapped.hold();
		wrapped.fail = () => new Error("no space");
		const first = outcomeOf(setting.actor.add(1));
		await eventually(() => expect(wrapped.commits.at(-1)!.ops.length).toBeGreaterThan(0));
		const second = outcomeOf(setting.actor.add(2));
		const read = outcomeOf(setting.actor.book());
		await new Promise((resolve) => setImmediate(resolve));
		release();
		const failed = "rivetkit.internal_error";
		expect(await Promise.all([first, second, read])).toEqual([failed, failed, failed]);
		wrapped.fail = null;
		expect(await setting.actor.book()).toEqual({ state: 10, sum: 10, count: 1 });
	});

	it("of the very first SQL leaves an empty database", async () => {
		const wrapped = new WrappedStore();
		wrapped.fail = ({ ops }) =>
			ops.some((op) => op.op === "put" && op.key[0] === SUBSPACE_DATABASE)
				? new Error("no space")
				: undefined;
		await using setting = await start(wrapped.store).catch(() => {
			wrapped.fail = null;
			return start(wrapped.store);
		});
		expect(await setting.actor.add(4)).toBe(4);
		expect(await setting.actor.book()).toEqual({ state: 4, sum: 4, count: 1 });
	});

	it("takes a database that grew, shrank or was folded back to the last page", async () => {
		const wrapped = new WrappedStore();
		await using setting = await start(wrapped.store);
		await setting.actor.fill(3_000);
		await setting.actor.add(1);
		for (const change of [
			() => setting.actor.fill(4_000),
			() => setting.actor.clear(),
			() => setting.actor.add(2),
		]) {
			// Every commit from now on fails, those that only fold included.
			wrapped.fail = () => new Error("no space");
			expect(await outcomeOf(change())).toBe("rivetkit.internal_error");
			wrapped.fail = null;
			expect(await setting.actor.book()).toMatchObject({ state: 1, count: 3_001 });
			expect(await setting.actor.integrity()).toEqual([{ integrity_check: "ok" }]);
		}
		fs.rmSync(setting.folder, { recursive: true, force: true });
		await setting.actor.nap();
		await eventually(async () =>
			expect(await setting.actor.book()).toMatchObject({ state: 1, count: 3_001 }),
		);
	});
});

describe("the working file", () => {
	const content = { state: 6, sum: 6, count: 3 };

	async function withEntries(): Promise<Setting> {
		const setting = await start();
		await setting.actor.add(1, 2, 3);
		await setting.asleep();
		return setting;
	}

	it("is used again when it is as it was left", async () => {
		await using setting = await withEntries();
		const { ino } = fs.statSync(setting.file);
		expect(await setting.actor.book()).toEqual(content);
		expect(fs.statSync(setting.file).ino).toBe(ino);
		// Reading does not touch it.
		const before = fs.readFileSync(`${setting.file}.mark`, "utf8");
		await setting.asleep();
		expect(fs.readFileSync(`${setting.file}.mark`, "utf8")).toBe(before);
	});

	it.each<[string, (file: string) => void]>([
		["missing", (file) => fs.rmSync(file)],
		["gone with its folder", (file) => fs.rmSync(join(file, ".."), { recursive: true })],
		["empty", (file) => fs.truncateSync(file, 0)],
		["cut off", (file) => fs.truncateSync(file, 4096)],
		["longer", (file) => fs.appendFileSync(file, Buffer.alloc(4096))],
		["without its mark", (file) => fs.rmSync(`${file}.mark`)],
		["with a mark that is no JSON", (file) => fs.writeFileSync(`${file}.mark`, "{")],
		["no database", (file) => fs.writeFileSync(file, "no database at all".repeat(1_000))],
		[
			"changed by one bit, with its time set back",
			(file) => {
				const { atime, mtime } = fs.statSync(file);
				const bytes = fs.readFileSync(file);
				bytes[bytes.byteLength - 5]! ^= 0x10;
				fs.writeFileSync(file, bytes);
				fs.utimesSync(file, atime, mtime);
			},
		],
		["with a foreign log", (file) => fs.writeFileSync(`${file}-wal`, Buffer.alloc(9_000, 7))],
		["with a hot journal", (file) => fs.writeFileSync(`${file}-journal`, Buffer.alloc(9_000, 7))],
	])("is written again, or put right, when it is %s", async (_what, damage) => {
		await using setting = await withEntries();
		damage(setting.file);
		expect(await setting.actor.book()).toEqual(content);
		expect(await setting.actor.integrity()).toEqual([{ integrity_check: "ok" }]);
		expect(await setting.actor.add(4)).toBe(10);
		await setting.asleep();
		expect(await setting.actor.book()).toEqual({ state: 10, sum: 10, count: 4 });
	});

	it("of a large database is used without reading the database from the store", async () => {
		await using directory = await temporaryDirectory();
		const { store, reading } = countingReads(createMemoryStore());
		await using setting = await start(store, directory.path);
		// Large enough to be synced when it is closed.
		await setting.actor.fillDense(5_000);
		await setting.asleep();
		await eventually(() =>
			expect(fs.readFileSync(`${setting.file}.mark`, "utf8")).toContain('"synced":true'),
		);
		const { size } = fs.statSync(setting.file);
		expect(size).toBeGreaterThan(16 * 2 ** 20);
		reading.bytes = 0;
		expect(await setting.actor.add(1)).toBe(1);
		await setting.asleep();
		expect(await setting.actor.book()).toMatchObject({ count: 5_001 });
		expect(reading.bytes).toBeLessThan(64 * 1024);
		await setting.asleep();
		fs.rmSync(setting.folder, { recursive: true });
		reading.bytes = 0;
		expect(await setting.actor.book()).toMatchObject({ state: 1, count: 5_001 });
		expect(reading.bytes).toBeGreaterThan(size / 2);
	});

	it("is written again when it is of another commit", async () => {
		await using directory = await temporaryDirectory();
		const store = createMemoryStore();
		const kept = new WrappedStore(store);
		const first = await start(kept.store, directory.path);
		await first.actor.add(1);
		await first.asleep();
		const copies = ["", ".mark"].map((suffix) => {
			fs.cpSync(first.file + suffix, `${first.file}${suffix}.old`, { preserveTimestamps: true });
			return suffix;
		});
		await first.actor.add(2);
		await first.asleep();
		for (const suffix of copies) fs.renameSync(`${first.file}${suffix}.old`, first.file + suffix);
		expect(await first.actor.book()).toEqual({ state: 3, sum: 3, count: 2 });
		await first.runtime[Symbol.asyncDispose]();
	});

	it("deleted while it is open costs nothing", async () => {
		await using setting = await start();
		await setting.actor.add(1);
		fs.rmSync(setting.folder, { recursive: true });
		expect(await setting.actor.add(2)).toBe(3);
		await setting.actor.nap();
		await eventually(() => expect(setting.runtime.embedded.host.liveActorIds).toEqual([]));
		expect(await setting.actor.book()).toEqual({ state: 3, sum: 3, count: 2 });
	});

	it("overwritten while it is open is written again, without a word when nothing is lost", async () => {
		await using setting = await start();
		await setting.actor.fill(3_000);
		await setting.asleep();
		await setting.actor.add(1);
		fs.writeFileSync(setting.file, Buffer.alloc(fs.statSync(setting.file).size, 0x5a));
		// Little of it was read before, so SQLite has to read the file now.
		expect(await setting.actor.book()).toMatchObject({ state: 1, count: 3_001 });
		expect(await setting.actor.integrity()).toEqual([{ integrity_check: "ok" }]);
	});

	it("goes with the actor", async () => {
		await using setting = await withEntries();
		await setting.actor.end();
		await eventually(() => expect(fs.readdirSync(setting.folder)).toEqual([]));
	});

	it("of a store in memory is in a temporary folder that goes with the process's runtime", async () => {
		const folders = () =>
			fs
				.readdirSync(process.env.TMPDIR ?? "/tmp")
				.filter((name) => name.startsWith(`rivetkit-databases-${process.pid}-`));
		const before = folders();
		{
			await using runtime = await TestRuntime.start({ ledger });
			const handle = runtime.localClient().ledger!.getOrCreate([]) as unknown as Ledger;
			expect(await handle.add(7)).toBe(7);
			expect(folders().length).toBe(before.length + 1);
		}
		expect(folders()).toEqual(before);
	});
});

it("survives a restart on the file store, with and without its working files", async () => {
	await using directory = await temporaryDirectory();
	const open = async () =>
		start(await openSqliteStore({ directory: directory.path }), directory.path);
	for (let round = 0; round < 4; round++) {
		const setting = await open();
		expect(await setting.actor.book()).toMatchObject({ count: round * 20 });
		await setting.actor.add(...Array.from({ length: 20 }, (_unused, index) => index));
		await setting.runtime[Symbol.asyncDispose]();
		if (round % 2) fs.rmSync(setting.folder, { recursive: true });
	}
});
