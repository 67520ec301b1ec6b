import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { nextLine, startChild } from "./child.ts";
import { generator, lastBatch, STEADY_ACTORS, steadyContents } from "./crash-model.ts";
import { contents } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const SEED = 20_261_124;
const ROUNDS = 12;

/** What the killed writers said was confirmed. */
interface Confirmed {
	readonly steady: Map<string, number>;
	readonly created: Map<string, number>;
	readonly destroying: Set<string>;
	readonly destroyed: Set<string>;
}

function note(confirmed: Confirmed, line: string): void {
	const [what, name, count] = line.split(" ");
	switch (what) {
		case "steady":
			confirmed.steady.set(name!, Number(count));
			break;
		case "created":
			confirmed.created.set(name!, Number(count));
			break;
		case "destroying":
			confirmed.destroying.add(name!);
			break;
		case "destroyed":
			confirmed.destroyed.add(name!);
			break;
	}
}

async function checkStore(directory: string, confirmed: Confirmed): Promise<void> {
	const tool = new DatabaseSync(`${directory}/store.sqlite`);
	expect(tool.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
	tool.close();
	const store = await openSqliteStore({ directory });
	try {
		for (const actorId of STEADY_ACTORS) {
			const found = await contents(store, actorId);
			const n = lastBatch(found);
			expect(n).toBeGreaterThanOrEqual(confirmed.steady.get(actorId) ?? -1);
			expect(found).toEqual(steadyContents(SEED, actorId, n));
			if (n >= 0) {
				const record = await store.actorById(actorId);
				expect(record).toMatchObject({ alarmTs: 1_000_000 + n, sleepTs: n });
			}
		}
		for (const [key, entryCount] of confirmed.created) {
			const record = await store.actorByKey("default", "counter", key);
			if (confirmed.destroyed.has(key)) {
				expect(record).toBeUndefined();
			} else if (!confirmed.destroying.has(key)) {
				expect(record).toMatchObject({ initialised: true, generation: 0 });
			}
			// A destruction that was cut off happened wholly or not at all.
			const found = await contents(store, `id-of-${key}`);
			expect(Object.keys(found)).toHaveLength(record === undefined ? 0 : entryCount);
		}
	} finally {
		await store.close();
	}
}

describe("SIGKILL while writing", () => {
	it(`leaves each batch whole or absent, and every confirmed one present (seed ${SEED}, ${ROUNDS} rounds)`, async () => {
		const directory = temporaryDirectory();
		const random = generator(SEED);
		const confirmed: Confirmed = {
			steady: new Map(),
			created: new Map(),
			destroying: new Set(),
			destroyed: new Set(),
		};
		for (let round = 0; round < ROUNDS; round++) {
			const child = startChild("write-until-killed.ts", [directory, String(SEED), String(round)]);
			onTestFinished(() => void child.process.kill("SIGKILL"));
			// Some kills come by time, some by the number of confirmations, also right at the first.
			const killAfterLines = round % 3 === 0 ? 1 + random(20) : 1 + random(1500);
			const killAfterMs = 20 + random(400);
			note(confirmed, await nextLine(child));
			const timer = setTimeout(() => child.process.kill("SIGKILL"), killAfterMs);
			let lines = 1;
			for await (const line of child.lines) {
				note(confirmed, line);
				lines += 1;
				if (lines === killAfterLines) {
					child.process.kill("SIGKILL");
				}
			}
			clearTimeout(timer);
			expect(await child.exited).toBe("");
			expect(child.process.signalCode).toBe("SIGKILL");
			await checkStore(directory, confirmed);
		}
		expect(Math.min(...confirmed.steady.values())).toBeGreaterThan(ROUNDS);
		expect(confirmed.created.size).toBeGreaterThan(200);
		expect(confirmed.destroyed.size).toBeGreaterThan(0);
	});
});
