import fs from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { ServerProcess } from "../crash/server-process.ts";
import { eventually } from "../support/eventually.ts";
import { digestOf, randomOf, SCHEMA, takeStep } from "./support/steps.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const ACTORS = 5;
const KILLS = 6;
/** Acknowledged steps between two kills. */
const PROGRESS = 30;

interface Book {
	step(seed: number, how: number): Promise<number>;
	content(): Promise<{
		step: number;
		/** Steps whose messages were booked. */
		handled: number[];
		/** Messages in the queue. */
		waiting: number;
		digest: string;
		integrity: string;
	}>;
}

/** The same history in memory, as far as it was acknowledged or found. */
class Model {
	readonly #database = new DatabaseSync(":memory:");
	readonly #seed: number;
	#step = 0;

	constructor(seed: number) {
		this.#seed = seed;
		this.#database.exec(SCHEMA);
	}

	/** The content after `step` steps. */
	async at(step: number): Promise<string> {
		while (this.#step < step) {
			this.#step++;
			const run = (sql: string, ...parameters: never[]) =>
				this.#database
					.prepare(sql)
					.run(
						...parameters.map(
							(value) => (typeof value === "number" ? BigInt(value) : value) as never,
						),
					);
			await takeStep(run as never, this.#seed, this.#step);
		}
		return digestOf((sql) => this.#database.prepare(sql).all());
	}
}

/** What may have happened to working files while nobody looked. */
const DAMAGES: ((folder: string, random: () => number) => void)[] = [
	() => {},
	() => {},
	(folder) => fs.rmSync(folder, { recursive: true, force: true }),
	(folder, random) => {
		for (const path of filesIn(folder)) {
			const bytes = fs.readFileSync(path);
			if (bytes.byteLength === 0 || path.endsWith(".mark")) continue;
			bytes[Math.floor(random() * bytes.byteLength)]! ^= 1 << Math.floor(random() * 8);
			fs.writeFileSync(path, bytes);
		}
	},
	(folder, random) => {
		for (const path of filesIn(folder)) {
			fs.truncateSync(path, Math.floor(random() * fs.statSync(path).size));
		}
	},
	(folder) => {
		for (const path of filesIn(folder)) if (path.endsWith("-wal")) fs.rmSync(path);
	},
];

function filesIn(folder: string): string[] {
	return fs.existsSync(folder) ? fs.readdirSync(folder).map((name) => join(folder, name)) : [];
}

it(`state, queue and SQL are one prefix of what was acknowledged: ${ACTORS} actors, ${KILLS} kills, files damaged`, async () => {
	await using data = await temporaryDirectory();
	const port = await freePort();
	const server = new ServerProcess("../database/books-server.ts", [data.path, String(port)]);
	const endpoint = `http://127.0.0.1:${port}`;
	await server.start();
	const client = createClient({ endpoint });
	const random = randomOf(20_261_126);
	const models = Array.from({ length: ACTORS }, (_unused, seed) => new Model(seed));
	const acknowledged = new Array<number>(ACTORS).fill(0);
	const sent = new Array<number>(ACTORS).fill(0);
	let total = 0;
	let recovered = 0;
	let stop = false;
	const books = models.map(
		(_model, seed) => client.book!.getOrCreate([`${seed}`]) as unknown as Book,
	);

	const work = async (seed: number): Promise<void> => {
		while (!stop) {
			sent[seed]!++;
			try {
				acknowledged[seed] = await books[seed]!.step(seed, Math.floor(random() * 3));
				total++;
			} catch {
				// It may have been taken or not; `content` tells.
			}
			sent[seed] = Math.max(sent[seed]!, acknowledged[seed]!);
		}
	};

	const verify = async (): Promise<void> => {
		for (const [seed, book] of books.entries()) {
			const before = acknowledged[seed]!;
			const { step, handled, waiting, digest, integrity } = await book.content();
			expect(step, `actor ${seed}: lost`).toBeGreaterThanOrEqual(before);
			expect(step, `actor ${seed}: more than was asked for`).toBeLessThanOrEqual(sent[seed]!);
			expect(digest, `actor ${seed} at step ${step}`).toBe(await models[seed]!.at(step));
			// Each message is in the queue or in the table, never in both or none.
			expect(handled).toEqual(
				Array.from({ length: Math.max(0, step - 1) }, (_, index) => index + 1),
			);
			expect(waiting).toBe(step === 0 ? 0 : 1);
			expect(integrity).toBe("ok");
			acknowledged[seed] = step;
		}
	};

	try {
		for (let kill = 0; kill < KILLS; kill++) {
			stop = false;
			const working = books.map((_book, seed) => work(seed));
			const goal = total + PROGRESS;
			await eventually(() => expect(total).toBeGreaterThan(goal));
			stop = true;
			await server.end("SIGKILL");
			recovered += filesIn(join(data.path, "databases")).filter((path) =>
				path.endsWith("-wal"),
			).length;
			DAMAGES[kill % DAMAGES.length]!(join(data.path, "databases"), random);
			await server.start();
			await Promise.all(working);
			await verify();
		}
	} finally {
		stop = true;
		await client.dispose();
		await server.end("SIGKILL");
	}
	// The kills hit databases at work.
	expect(recovered).toBeGreaterThan(KILLS);
}, 400_000);
