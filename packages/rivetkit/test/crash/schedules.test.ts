import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { ServerProcess } from "./server-process.ts";

// Schedules on the SQLite store of a process that is killed (L47, W-SCH-1, W-SCH-2).

interface Agenda {
	plan(label: string, delay: number): Promise<void>;
	planHang(label: string): Promise<void>;
	planJob(name: string): Promise<void>;
	history(name: string): Promise<{ result: string; scheduledAt: number }[]>;
	state(): Promise<{ planned: Record<string, number>; done: Record<string, number> }>;
	list(): Promise<unknown[]>;
}

let data: string;
let journal: string;
let server: ServerProcess;
let client: ReturnType<typeof createClient>;
const agenda = (key: string) => client.agenda!.getOrCreate([key]) as unknown as Agenda;
const journalLines = async () => (await readFile(journal, "utf8")).split("\n").filter(Boolean);

beforeEach(async () => {
	data = await mkdtemp(join(tmpdir(), "crash-schedules-"));
	journal = join(data, "journal");
	await writeFile(journal, "");
	const port = await freePort();
	server = new ServerProcess("schedule-server.ts", [join(data, "store"), String(port), journal]);
	await server.start();
	client = createClient({ endpoint: `http://127.0.0.1:${port}` });
});

afterEach(async () => {
	await client.dispose();
	await server.end("SIGKILL");
	await rm(data, { recursive: true, force: true });
});

it("calls that were acknowledged before a kill -9 are made after it, once each and never early", async () => {
	const keys = Array.from({ length: 20 }, (_, index) => `actor-${index}`);
	await Promise.all(
		keys.flatMap((key) =>
			Array.from({ length: 10 }, (_, index) =>
				agenda(key).plan(`call-${index}`, 200 + index * 150),
			),
		),
	);
	await server.end("SIGKILL");
	await server.start();
	// Nobody calls the actors: their alarms wake them.
	await eventually(async () => {
		const made = (await journalLines()).map((line) => line.replace(/ -?\d+$/, ""));
		expect(new Set(made).size).toBe(keys.length * 10);
	});
	for (const key of keys) {
		await eventually(async () => expect(await agenda(key).list()).toEqual([]));
		const { done } = await agenda(key).state();
		expect(Object.values(done)).toEqual(Array(10).fill(1));
	}
	for (const line of await journalLines()) {
		expect(Number(line.split(" ").at(-1)), line).toBeGreaterThanOrEqual(0);
	}
});

it("alarms that came due while the server was down wake their actors when it is back", async () => {
	await agenda("down").plan("while-down", 500);
	await server.end("SIGKILL");
	// Its time passes while no process is there that could be asked.
	await new Promise((resolve) => setTimeout(resolve, 500));
	await server.start();
	// Twice when it came due before the process was gone: nothing of that is stored then.
	await eventually(async () => {
		const made = (await journalLines()).map((line) => line.replace(/ -?\d+$/, ""));
		expect(new Set(made)).toEqual(new Set(["mark down while-down"]));
	});
	await eventually(async () =>
		expect((await agenda("down").state()).done).toEqual({ "while-down": 1 }),
	);
});

it("a kill -9 during a scheduled action makes it run again, and its attempts are counted", async () => {
	await agenda("a").planHang("hang");
	await eventually(async () => expect(await journalLines()).toEqual(["hang hang 1"]));
	for (const attempt of [2, 3]) {
		await server.end("SIGKILL");
		await server.start();
		await eventually(async () =>
			expect((await journalLines()).at(-1)).toBe(`hang hang ${attempt}`),
		);
	}
	await eventually(async () => expect((await agenda("a").state()).done).toEqual({ hang: 1 }));
	expect(await agenda("a").list()).toEqual([]);
	expect(await journalLines()).toEqual(["hang hang 1", "hang hang 2", "hang hang 3"]);
});

it("state and schedule are one: killed at random moments, what is planned is made, and nothing else", async () => {
	let stop = false;
	let acknowledged = 0;
	const planned = new Map<string, Set<string>>();
	const work = async (worker: number): Promise<void> => {
		const key = `actor-${worker % 5}`;
		for (let turn = 0; !stop; turn++) {
			const label = `${worker}/${turn}`;
			try {
				await agenda(key).plan(label, (turn % 7) * 40);
				planned.set(key, (planned.get(key) ?? new Set()).add(label));
				acknowledged++;
			} catch {
				// Not acknowledged: it may have been planned or not, but not by half.
			}
		}
	};
	const workers = Array.from({ length: 10 }, (_, worker) => work(worker));
	for (let kill = 0; kill < 3; kill++) {
		const goal = acknowledged + 100;
		await eventually(() => expect(acknowledged).toBeGreaterThan(goal));
		await server.end("SIGKILL");
		await server.start();
	}
	stop = true;
	await Promise.all(workers);
	for (const [key, labels] of planned) {
		await eventually(async () => expect(await agenda(key).list()).toEqual([]));
		const state = await agenda(key).state();
		for (const label of labels) expect(state.planned, label).toHaveProperty([label]);
		expect(Object.keys(state.done).sort()).toEqual(Object.keys(state.planned).sort());
		expect(Object.values(state.done).filter((count) => count !== 1)).toEqual([]);
	}
	for (const line of await journalLines()) {
		expect(Number(line.split(" ").at(-1)), line).toBeGreaterThanOrEqual(0);
	}
	console.log(`${acknowledged} calls scheduled, 3 kills`);
});

it("no run of a job is lost or doubled by a kill -9 with catchUp: all and overlap: queue", async () => {
	await agenda("a").planJob("job");
	for (let kill = 0; kill < 3; kill++) {
		const before = (await journalLines()).length;
		await eventually(async () => expect((await journalLines()).length).toBeGreaterThan(before));
		await server.end("SIGKILL");
		await server.start();
	}
	const before = (await journalLines()).length;
	await eventually(async () => expect((await journalLines()).length).toBeGreaterThan(before));
	await eventually(async () => {
		// A run that ends between these two looks is in one of them only.
		const history = await agenda("a").history("job");
		const { done } = await agenda("a").state();
		const times = Object.keys(done)
			.map((label) => Number(label.split(" ")[1]))
			.sort((a, b) => a - b);
		expect(times).toEqual(times.map((_, index) => times[0]! + index * 1_000));
		expect(Object.values(done).filter((count) => count !== 1)).toEqual([]);
		const finished = history.filter(({ result }) => result === "ok");
		expect(finished.map(({ scheduledAt }) => scheduledAt).sort((a, b) => a - b)).toEqual(times);
	});
});
