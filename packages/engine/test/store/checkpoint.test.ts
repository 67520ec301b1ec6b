import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { acquiredActor, contents, putBatch } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const KIB = 1024;
const CHECKPOINT_BYTES = 256 * KIB;

interface Opened {
	readonly store: Store;
	readonly directory: string;
	readonly actorIds: readonly string[];
	/** A SQLite tool beside the store. */
	readonly tool: DatabaseSync;
	walBytes(): number;
	/** How often the checkpointer restarted the log. */
	checkpoints(): number;
	/** How often anybody did: the sequence number in the log's header. */
	restarts(): number;
}

async function open(): Promise<Opened> {
	const directory = temporaryDirectory();
	const store = await openSqliteStore({ directory, checkpointBytes: CHECKPOINT_BYTES });
	onTestFinished(() => store.close());
	const actors = await Promise.all(Array.from({ length: 8 }, () => acquiredActor(store)));
	const file = path.join(directory, "store.sqlite");
	const tool = new DatabaseSync(file);
	onTestFinished(() => tool.close());
	return {
		store,
		directory,
		actorIds: actors.map((actor) => actor.actorId),
		tool,
		walBytes: () => fs.statSync(`${file}-wal`).size,
		restarts: () => fs.readFileSync(`${file}-wal`).readUInt32BE(12),
		checkpoints: () =>
			tool.prepare("SELECT value FROM meta WHERE name = 'checkpoints'").get()!.value as number,
	};
}

/** One batch of every actor, each 4 KiB. */
async function writeRound({ store, actorIds }: Opened, round: number): Promise<void> {
	await Promise.all(
		actorIds.map((actorId, index) =>
			store.commit(
				putBatch(actorId, 0, {
					[`k${round % 20}`]: `${round}.${index} `.repeat(600).slice(0, 4 * KIB),
					round: String(round),
				}),
			),
		),
	);
}

describe("checkpoints", () => {
	it("keep the log short under constant load, and lose nothing", async () => {
		const opened = await open();
		expect(opened.restarts()).toBe(0);
		let rounds = 0;
		let walBytesMax = 0;
		while (opened.checkpoints() < 20) {
			await writeRound(opened, rounds);
			rounds += 1;
			walBytesMax = Math.max(walBytesMax, opened.walBytes());
		}
		expect(walBytesMax).toBeLessThan(12 * CHECKPOINT_BYTES);
		// A restart by the writer would not sync the log's header before it overwrites frames.
		expect(opened.restarts()).toBe(opened.checkpoints());
		const last = rounds - 1;
		for (const actorId of opened.actorIds) {
			const found = await contents(opened.store, actorId);
			expect(found.round).toBe(String(last));
			expect(found[`k${last % 20}`]).toMatch(new RegExp(`^${last}\\.`));
		}
		expect(opened.tool.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
	});

	it("leave the log alone while a reader elsewhere needs it, and catch up afterwards", async () => {
		const opened = await open();
		opened.tool.exec("BEGIN");
		const before = opened.checkpoints();
		for (let round = 0; opened.walBytes() < 6 * CHECKPOINT_BYTES; round++) {
			await writeRound(opened, round);
		}
		expect(opened.checkpoints()).toBe(before);
		opened.tool.exec("COMMIT");
		const length = opened.walBytes();
		let round = 1000;
		while (opened.checkpoints() === before) {
			await writeRound(opened, round);
			round += 1;
		}
		expect(opened.walBytes()).toBeLessThan(length + 12 * CHECKPOINT_BYTES);
		expect(opened.restarts()).toBe(1);
		expect((await contents(opened.store, opened.actorIds[0]!)).round).toBe(String(round - 1));
	});

	it("are waited for by a close, also while an SQLite tool keeps the log", async () => {
		const opened = await open();
		for (let round = 0; round < 30; round++) {
			await writeRound(opened, round);
		}
		await opened.store.close();
		const again = await openSqliteStore({ directory: opened.directory });
		onTestFinished(() => again.close());
		for (const actorId of opened.actorIds) {
			expect((await contents(again, actorId)).round).toBe("29");
		}
	});
});
