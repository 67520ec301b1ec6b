import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { FORMAT_VERSION } from "../../src/store/sqlite/schema.ts";
import { StoreError } from "../../src/store/store.ts";
import { nextLine, startChild } from "./child.ts";
import { isSettled } from "./controlled-disk.ts";
import { acquiredActor, contents, putBatch } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const NEWER = FORMAT_VERSION + 1;

const NOBODY = 65_534;

/** How opening fails. */
async function openingError(directory: string): Promise<StoreError> {
	const outcome = await openSqliteStore({ directory }).then(
		async (store) => {
			await store.close();
			return "it opened";
		},
		(error: unknown) => error,
	);
	expect(outcome).toBeInstanceOf(StoreError);
	return outcome as StoreError;
}

/** A closed store with one actor that has `{ a: "1" }`. */
async function closedStore(directory: string): Promise<{ file: string; actorId: string }> {
	const store = await openSqliteStore({ directory });
	const { actorId } = await acquiredActor(store);
	await store.commit(putBatch(actorId, 0, { a: "1" }));
	await store.close();
	return { file: path.join(directory, "store.sqlite"), actorId };
}

/** The bytes of every file in the directory but the lock's. */
function snapshot(directory: string): Record<string, string> {
	return Object.fromEntries(
		fs
			.readdirSync(directory)
			.filter((name) => !name.startsWith("store.lock") && name !== "store.owner.json")
			.map((name) => [name, fs.readFileSync(path.join(directory, name)).toString("base64")]),
	);
}

describe("a directory that is in use", () => {
	it("is refused to a second process, which names the first by its pid", async () => {
		const directory = temporaryDirectory();
		const holder = startChild("hold-store.ts", [directory]);
		onTestFinished(() => void holder.process.kill("SIGKILL"));
		expect(JSON.parse(await nextLine(holder))).toEqual({ opened: true });
		const error = await openingError(directory);
		expect(error.code).toBe("locked");
		expect(error.path).toBe(directory);
		expect(error.message).toContain(directory);
		expect(error.message).toContain(`process ${holder.process.pid}`);
		expect(error.message).toContain("RIVETKIT_STORAGE_PATH");
	});

	it("is free again when its holder was killed with SIGKILL", async () => {
		const directory = temporaryDirectory();
		const holder = startChild("hold-store.ts", [directory]);
		await nextLine(holder);
		holder.process.kill("SIGKILL");
		await holder.exited;
		const store = await openSqliteStore({ directory });
		await store.close();
	});

	it("is refused to a second store of the same process, also by another path", async () => {
		const directory = temporaryDirectory();
		const store = await openSqliteStore({ directory });
		onTestFinished(() => store.close());
		const link = path.join(temporaryDirectory(), "link");
		fs.symlinkSync(directory, link);
		for (const other of [directory, link]) {
			const error = await openingError(other);
			expect(error.code).toBe("locked");
			expect(error.message).toContain(`this process (pid ${process.pid})`);
		}
		const actor = await acquiredActor(store);
		await store.commit(putBatch(actor.actorId, 0, { still: "works" }));
	});

	it("can be read by an SQLite tool, and waits while one writes", async () => {
		const directory = temporaryDirectory();
		const store = await openSqliteStore({ directory });
		onTestFinished(() => store.close());
		const actor = await acquiredActor(store);
		await store.commit(putBatch(actor.actorId, 0, { a: "1" }));
		const tool = new DatabaseSync(path.join(directory, "store.sqlite"));
		expect(tool.prepare("SELECT count(*) AS count FROM cold").get()).toEqual({ count: 1 });
		tool.exec("BEGIN IMMEDIATE");
		const written = store.commit(putBatch(actor.actorId, 0, { b: "2" }));
		expect(await isSettled(written)).toBe(false);
		tool.exec("COMMIT");
		tool.close();
		await written;
		expect(await contents(store, actor.actorId)).toEqual({ a: "1", b: "2" });
	});
});

describe("a directory that cannot be written", () => {
	it("is refused when a file is in its place", async () => {
		const file = path.join(temporaryDirectory(), "file");
		fs.writeFileSync(file, "not a directory");
		const error = await openingError(file);
		expect(error.code).toBe("read_only");
		expect(error.message).toContain(file);
		expect(error.message).toMatch(/A file is where a directory should be.*RIVETKIT_STORAGE_PATH/);
		expect(fs.readFileSync(file, "utf8")).toBe("not a directory");
	});

	it("is refused where no directory can be made", async () => {
		const directory = path.join(temporaryDirectory(), "file", "below");
		fs.writeFileSync(path.dirname(directory), "");
		const error = await openingError(directory);
		expect(error.code).toBe("read_only");
		expect(error.message).toMatch(/A file is where a directory should be/);
	});

	it("is made, with its parents, where it is missing", async () => {
		const directory = path.join(temporaryDirectory(), "a", "b", "c");
		await (await openSqliteStore({ directory })).close();
		expect(fs.existsSync(path.join(directory, "store.sqlite"))).toBe(true);
	});

	// Root may write everywhere, so a root test run hands the attempt to another user.
	const otherUser = process.getuid?.() === 0 ? { uid: NOBODY } : {};

	it.each(["a directory", "a database file"])(
		"is refused when %s is not writable for the user",
		async (what) => {
			const directory = temporaryDirectory();
			const { file } = await closedStore(directory);
			const inDirectory = what === "a directory";
			fs.chmodSync(directory, inDirectory ? 0o555 : 0o777);
			fs.chmodSync(file, inDirectory ? 0o666 : 0o444);
			fs.rmSync(path.join(directory, "store.lock"), { force: true });
			onTestFinished(() => fs.chmodSync(directory, 0o755));
			const before = snapshot(directory);
			const child = startChild("hold-store.ts", [directory], otherUser);
			onTestFinished(() => void child.process.kill("SIGKILL"));
			const outcome = JSON.parse(await nextLine(child));
			expect(outcome).toMatchObject({ opened: false, code: "read_only" });
			expect(outcome.message).toContain(directory);
			expect(outcome.message).toMatch(/writable for this user/);
			expect(snapshot(directory)).toEqual(before);
		},
	);
});

describe("a file that is not a store", () => {
	async function refused(directory: string, code: string, message: RegExp): Promise<void> {
		const before = snapshot(directory);
		const error = await openingError(directory);
		expect(error.code).toBe(code);
		expect(error.message).toContain(path.join(directory, "store.sqlite"));
		expect(error.message).toMatch(message);
		expect(error.message).toMatch(/Nothing was (overwritten|changed)/);
		expect(snapshot(directory)).toEqual(before);
		// The refused attempt holds nothing: the next one fails for the same reason, not for a lock.
		expect((await openingError(directory)).code).toBe(code);
	}

	it.each([
		["random bytes", Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 256))],
		["a text", Buffer.from("dear diary")],
		["a lone magic number", Buffer.from("SQLite format 3\0")],
	])("is refused when it holds %s", async (_, bytes) => {
		const directory = temporaryDirectory();
		fs.writeFileSync(path.join(directory, "store.sqlite"), bytes);
		await refused(directory, "damaged", /not an SQLite database/);
	});

	it("is refused when it is another program's database", async () => {
		const directory = temporaryDirectory();
		const other = new DatabaseSync(path.join(directory, "store.sqlite"));
		other.exec("CREATE TABLE diary (entry TEXT)");
		other.close();
		await refused(directory, "damaged", /not one of RivetKit's/);
	});

	it("is refused when it is cut off", async () => {
		const directory = temporaryDirectory();
		const { file } = await closedStore(directory);
		fs.truncateSync(file, fs.statSync(file).size - 4096);
		await refused(directory, "damaged", /cut off/);
	});

	it("is refused when it is gone but its log is there", async () => {
		const directory = temporaryDirectory();
		const holder = startChild("hold-store.ts", [directory]);
		await nextLine(holder);
		fs.writeFileSync(path.join(directory, "store.sqlite-wal"), Buffer.alloc(5000, 1));
		holder.process.kill("SIGKILL");
		await holder.exited;
		fs.rmSync(path.join(directory, "store.sqlite"));
		await refused(directory, "damaged", /missing or empty/);
	});

	it("is refused when tables are missing", async () => {
		const directory = temporaryDirectory();
		const { file } = await closedStore(directory);
		const tool = new DatabaseSync(file);
		tool.exec("DROP TABLE kv");
		tool.close();
		await refused(directory, "damaged", /no such table: kv/);
	});

	it("is refused when a newer version wrote it", async () => {
		const directory = temporaryDirectory();
		const { file } = await closedStore(directory);
		const tool = new DatabaseSync(file);
		tool.exec(`PRAGMA user_version = ${NEWER}`);
		tool.close();
		await refused(
			directory,
			"newer_format",
			new RegExp(`format ${NEWER}, written by a newer version`),
		);
	});

	it("is refused when a newer version wrote it and was killed", async () => {
		const directory = temporaryDirectory();
		const { file } = await closedStore(directory);
		const tool = new DatabaseSync(file);
		tool.exec(
			`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = ${NEWER}`,
		);
		const copy = temporaryDirectory();
		for (const name of ["store.sqlite", "store.sqlite-wal"]) {
			fs.copyFileSync(path.join(directory, name), path.join(copy, name));
		}
		tool.close();
		const error = await openingError(copy);
		expect(error.code).toBe("newer_format");
	});

	it("reports damage in the middle of a file to whoever meets it", async () => {
		const directory = temporaryDirectory();
		const store = await openSqliteStore({ directory });
		const actors = await Promise.all(Array.from({ length: 200 }, () => acquiredActor(store)));
		for (const actor of actors) {
			await store.commit(putBatch(actor.actorId, 0, { a: "x".repeat(1000) }));
		}
		await store.close();
		const file = path.join(directory, "store.sqlite");
		const bytes = fs.readFileSync(file);
		// The later half: the values; header, schema and directory come first.
		bytes.fill(0xa5, Math.ceil(bytes.byteLength / 8192) * 4096);
		fs.writeFileSync(file, bytes);
		const again = await openSqliteStore({ directory });
		onTestFinished(() => again.close());
		const outcomes = await Promise.allSettled(
			actors.map((actor) => contents(again, actor.actorId)),
		);
		const errors = outcomes.filter((outcome) => outcome.status === "rejected");
		expect(errors.length).toBeGreaterThan(0);
		for (const { reason } of errors) {
			expect(reason).toBeInstanceOf(StoreError);
			expect((reason as StoreError).code).toBe("damaged");
			expect((reason as StoreError).message).toContain(file);
		}
	});

	it("takes an empty file for a store that was never begun", async () => {
		const directory = temporaryDirectory();
		fs.writeFileSync(path.join(directory, "store.sqlite"), "");
		const store = await openSqliteStore({ directory });
		await acquiredActor(store);
		await store.close();
	});
});

describe("a runtime without SQLite", () => {
	it("is told what to use instead, and the package still loads", async () => {
		const directory = temporaryDirectory();
		const child = startChild("hold-store.ts", [directory], {
			nodeFlags: ["--no-experimental-sqlite"],
		});
		onTestFinished(() => void child.process.kill("SIGKILL"));
		const outcome = JSON.parse(await nextLine(child));
		expect(outcome).toMatchObject({ opened: false, code: "unsupported" });
		expect(outcome.message).toMatch(/Node\.js 22\.13 or newer, Bun .* Deno/);
		await once(child.process, "close");
		expect(fs.readdirSync(directory)).toEqual([]);
	});
});
