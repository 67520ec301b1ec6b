import { actor } from "../../../src/actor/definition.ts";
import { db, type RawAccess } from "../../../src/db/index.ts";
import type { TestRuntime } from "../../support/test-runtime.ts";

/** What the stage's actions get besides the database. */
export interface StageContext {
	state: { n: number };
	atomic<T>(work: () => T | PromiseLike<T>, options?: { timeout?: number }): Promise<T>;
	sleep(): void;
	readonly abortSignal: AbortSignal;
}

/** An actor whose actions are written in the test: `play` runs one with the actor's database. */
export function stage(options: object = {}) {
	const plays = new Map<string, (d: RawAccess, c: StageContext) => unknown>();
	const subject = actor({
		db: db({ onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")) }),
		state: { n: 0 },
		options,
		actions: { play: (c, name: string) => plays.get(name)!(c.db, c) },
		onRequest: async (c) => {
			await plays.get("request")!(c.db, c);
			return new Response("done");
		},
	});
	let count = 0;
	return {
		subject,
		/** Runs a function as one action of the actor. */
		on:
			(runtime: TestRuntime, key = "a") =>
			<T>(play: (d: RawAccess, c: StageContext) => T): Promise<Awaited<T>> => {
				const name = `${count++}`;
				plays.set(name, play);
				const handle = runtime.localClient().subject!.getOrCreate([key]) as unknown as {
					play(name: string): Promise<Awaited<T>>;
				};
				return handle.play(name);
			},
		plays,
	};
}

/** What is in the table. */
export const all = async (d: RawAccess) =>
	(await d.execute<{ a: unknown }>("SELECT a FROM t ORDER BY rowid")).map(({ a }) => a);
/** A row more. */
export const add = (d: Pick<RawAccess, "execute">, value: unknown) =>
	d.execute("INSERT INTO t VALUES (?)", value);
