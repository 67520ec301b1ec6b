/**
 * SQL in actors, next to plain `node:sqlite` (WAL, synchronous = FULL, one transaction per request) and to
 * the published package. Each in a process of its own; the servers take turns, round by round.
 *
 *     node benchmarks/database/main.ts [rounds] [folder on a real disk]
 *
 * "inside" is the time of the statements alone, as the action sees it; "answered" is the time until the
 * caller has the answer, which for plain SQLite and for ours is when everything is on disk. Medians.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpConnection, jsonRequest } from "../src/load/http-connection.ts";
import { ServerProcess } from "../src/server-process.ts";
import { median } from "../src/statistics.ts";
import type { Subject } from "../src/subjects.ts";
import { ROWS, type WorkName } from "./work.ts";

const rounds = Number(process.argv[2] ?? 100);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), "bench-database-"));

const plain: Subject = {
	name: "bare",
	title: "plain node:sqlite, WAL, synchronous = FULL",
	module: "../database/servers/plain.ts",
};
const published: Subject = {
	name: "published",
	title: "rivetkit 2.1.3 as published",
	module: "../database/servers/published.ts",
};
const ours: Subject = { name: "ours", title: "ours", module: "../database/servers/ours.ts" };

interface Line {
	readonly title: string;
	readonly name: WorkName;
	/** Statements, or rows of a scan, per action. */
	readonly count: number;
	/** Rounds that the published package takes part in: it is that much slower. */
	readonly publishedRounds: number;
}

const lines: readonly Line[] = [
	{ title: "1,000 inserts", name: "inserts", count: 1_000, publishedRounds: 3 },
	{
		title: "1,000 inserts, transaction",
		name: "insertsTogether",
		count: 1_000,
		publishedRounds: 10,
	},
	{ title: "1,000 selects by key", name: "selects", count: 1_000, publishedRounds: 10 },
	{ title: "1,000 updates far apart", name: "updates", count: 1_000, publishedRounds: 3 },
	{ title: "1 insert", name: "one", count: 1, publishedRounds: 20 },
	{ title: "scan of 100,000 rows", name: "scan", count: ROWS, publishedRounds: 3 },
];

/** One actor of one server. */
class Target {
	readonly server: ServerProcess;
	readonly #path: string;

	private constructor(server: ServerProcess, path: string) {
		this.server = server;
		this.#path = path;
	}

	static async open(subject: Subject): Promise<Target> {
		const server = await ServerProcess.start(subject, folder);
		const body = JSON.stringify({
			name: "database",
			key: "bench",
			runner_name_selector: "default",
			crash_policy: "sleep",
		});
		const { answer } = await call(server, jsonRequest("POST", "/actors?namespace=default", body));
		const id = /"actor_id":"([^"]+)"/.exec(answer)?.[1];
		return new Target(server, `/gateway/${id}/action/work`);
	}

	/** Time inside and until the answer (ms). */
	async work(name: WorkName, count: number): Promise<{ inside: number; answered: number }> {
		const body = JSON.stringify({ args: [name, count] });
		const { answer, tookMs } = await call(this.server, jsonRequest("POST", this.#path, body));
		const { output } = JSON.parse(answer) as { output?: number };
		if (output === undefined) throw new Error(`${this.server.subject.title}: ${answer}`);
		return { inside: output, answered: tookMs };
	}
}

/** A connection each, before the time is taken: servers close those that wait for their turn too long. */
async function call(
	server: ServerProcess,
	request: Buffer,
): Promise<{ answer: string; tookMs: number }> {
	const connection = await HttpConnection.open(server.port);
	try {
		const beganMs = performance.now();
		const answer = await connection.call(request);
		return { answer, tookMs: performance.now() - beganMs };
	} finally {
		connection.close();
	}
}

type Samples = { inside: number[]; answered: number[] };

const targets = new Map<Subject, Target>();
const samples = new Map<string, Samples>();
try {
	for (const subject of [plain, published, ours]) {
		const target = await Target.open(subject);
		targets.set(subject, target);
		await target.work("fill", ROWS);
		for (const { name, count } of lines) await target.work(name, count);
	}
	for (let round = 0; round < rounds; round++) {
		for (const line of lines) {
			for (const [subject, target] of targets) {
				if (subject === published && round >= line.publishedRounds) continue;
				const took = await target.work(line.name, line.count);
				const key = `${line.title}/${subject.name}`;
				const known = samples.get(key) ?? { inside: [], answered: [] };
				known.inside.push(took.inside);
				known.answered.push(took.answered);
				samples.set(key, known);
			}
		}
	}
} finally {
	for (const target of targets.values()) await target.server.stop();
	rmSync(folder, { recursive: true, force: true });
}

const header = [
	"",
	"plain inside",
	"ours inside",
	"ours/plain",
	"plain answered",
	"ours answered",
	"ours/plain",
	"published",
	"ours/published",
];
console.log(`| ${header.join(" | ")} |`);
console.log(`|${header.map(() => "---").join("|")}|`);
for (const { title, count } of lines) {
	const rate = (subject: Subject, what: keyof Samples) =>
		(count / median(samples.get(`${title}/${subject.name}`)?.[what] ?? [])) * 1_000;
	const perSecond = (value: number) => Math.round(value).toLocaleString("en");
	const inside = [rate(plain, "inside"), rate(ours, "inside")] as const;
	const answered = [rate(plain, "answered"), rate(ours, "answered")] as const;
	const other = rate(published, "answered");
	const cells = [
		title,
		perSecond(inside[0]),
		perSecond(inside[1]),
		`${Math.round((inside[1] / inside[0]) * 100)} %`,
		perSecond(answered[0]),
		perSecond(answered[1]),
		`${Math.round((answered[1] / answered[0]) * 100)} %`,
		perSecond(other),
		`${(answered[1] / other).toFixed(1)}×`,
	];
	console.log(`| ${cells.join(" | ")} |`);
}
