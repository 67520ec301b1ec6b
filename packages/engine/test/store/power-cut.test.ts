import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { lastBatch, steadyBatch, steadyContents } from "./crash-model.ts";
import { acquiredActor, contents } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const SECTOR_BYTES = 512;
const FILES = ["store.sqlite", "store.sqlite-wal"] as const;

/**
 * A disk that tells what a power cut could leave of the log: what was there when the last sync that
 * ended had begun, and of what was written later any sectors, in any choice.
 */
function losableDisk(directory: string) {
	const walFile = path.join(directory, "store.sqlite-wal");
	let durable = Buffer.alloc(0);
	return {
		sync: async () => {
			const atBegin = fs.readFileSync(walFile);
			await new Promise((resolve) => setImmediate(resolve));
			durable = atBegin;
		},
		/** `survives(n)` tells whether the n-th sector that was written late is on the disk. */
		cutTo(target: string, survives: (index: number) => boolean): void {
			const current = fs.readFileSync(walFile);
			const left = Buffer.alloc(current.byteLength);
			durable.copy(left);
			let late = 0;
			for (let at = 0; at < current.byteLength; at += SECTOR_BYTES) {
				const written = current.subarray(at, at + SECTOR_BYTES);
				if (!written.equals(left.subarray(at, at + SECTOR_BYTES))) {
					if (survives(late)) {
						written.copy(left, at);
					}
					late += 1;
				}
			}
			fs.copyFileSync(path.join(directory, FILES[0]), path.join(target, FILES[0]));
			fs.writeFileSync(path.join(target, FILES[1]), left);
		},
	};
}

describe("a power cut", () => {
	it("loses nothing confirmed and leaves no batch in part, whichever late sectors survive", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.integer(),
				fc.integer({ min: 0, max: 25 }),
				fc.integer({ min: 0, max: 6 }),
				fc.infiniteStream(fc.boolean()),
				async (seed, confirmedBatches, unconfirmedBatches, survives) => {
					const directory = temporaryDirectory();
					const target = temporaryDirectory();
					const disk = losableDisk(directory);
					const store = await openSqliteStore({ directory, sync: disk.sync });
					const { actorId } = await acquiredActor(store, { actorId: "steady-0", key: "k" });
					for (let n = 0; n < confirmedBatches; n++) {
						await store.commit(steadyBatch(seed, actorId, 0, n));
					}
					const unconfirmed: Promise<void>[] = [];
					for (let n = confirmedBatches; n < confirmedBatches + unconfirmedBatches; n++) {
						unconfirmed.push(store.commit(steadyBatch(seed, actorId, 0, n)));
						// Ends when the transaction of this turn was committed, synced or not.
						await store.actorById(actorId);
					}
					disk.cutTo(target, () => survives.next().value);
					await Promise.all(unconfirmed);
					await store.close();

					const revived = await openSqliteStore({ directory: target });
					try {
						const found = await contents(revived, actorId);
						const n = lastBatch(found);
						expect(n).toBeGreaterThanOrEqual(confirmedBatches - 1);
						expect(found).toEqual(steadyContents(seed, actorId, n));
					} finally {
						await revived.close();
					}
				},
			),
			{ numRuns: 40, seed: 20_261_124 },
		);
	});
});
