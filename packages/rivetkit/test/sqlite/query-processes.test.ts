import { spawn } from "node:child_process";
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import {
	canQueryApart,
	type Query,
	QueryProcesses,
} from "../../src/sqlite/apart/query-processes.ts";
import { temporaryDirectory } from "../database/support/temporary-directory.ts";
import { eventually } from "../support/eventually.ts";
import { endless } from "./support/endless.ts";

/** As many as run at the same time. */
const PROCESSES_MAX = 4;
const canSeeProcesses = fs.existsSync("/proc/self/task");
const NEVER = new AbortController().signal;

async function emptyDatabase(): Promise<string> {
	const directory = await temporaryDirectory();
	onTestFinished(() => directory[Symbol.asyncDispose]());
	const path = `${directory.path}/one.sqlite`;
	new DatabaseSync(path).close();
	return path;
}

/** Ids of the processes that run queries for a process. */
function queryProcessesOf(pid: number): number[] {
	const threads = fs.readdirSync(`/proc/${pid}/task`);
	const children = threads.flatMap((thread) =>
		fs.readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" "),
	);
	return children
		.filter((child) => child !== "")
		.map(Number)
		.filter((child) => commandOf(child).includes("DatabaseSync"));
}

/** Empty for one that is gone. */
function commandOf(pid: number): string {
	try {
		return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
	} catch {
		return "";
	}
}

const plain = (path: string, texts: string[], limits: Partial<Query["limits"]> = {}): Query => ({
	path,
	settings: [],
	statements: texts.map((text) => ({ text, bindings: [] })),
	limits: { rowsMax: 2, resultBytesMax: 100, timeoutMs: 60_000, ...limits },
});

it("limits are those of one result each", async () => {
	const path = await emptyDatabase();
	const processes = new QueryProcesses();
	const two = "SELECT 1 AS a UNION ALL SELECT 2";
	expect(await processes.run(plain(path, [two, two]), NEVER)).toHaveLength(4);
	const large = "SELECT zeroblob(60) AS a";
	expect(await processes.run(plain(path, [large, large]), NEVER)).toHaveLength(2);
	for (const [texts, code] of [
		[[two, `${two} UNION ALL SELECT 3`], "too_many_rows"],
		[[large, "SELECT zeroblob(101)"], "result_too_large"],
	] as const) {
		const refused = processes.run(plain(path, [...texts]), NEVER);
		await expect(refused).rejects.toMatchObject({ code });
	}
});

it("has time also where a timer has no room for it", async () => {
	const path = await emptyDatabase();
	const query = plain(
		path,
		[
			"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT count(*) AS n FROM n",
		],
		{ timeoutMs: 2 ** 31 },
	);
	expect(await new QueryProcesses().run(query, NEVER)).toEqual([{ n: 300_000 }]);
});

it("who waits for its turn hears at once that nobody wants it any more", async () => {
	const path = await emptyDatabase();
	const processes = new QueryProcesses();
	const ending = new AbortController();
	const running = Array.from({ length: PROCESSES_MAX }, () =>
		processes.run(endless(path), ending.signal).catch((error: unknown) => error),
	);
	const leaving = new AbortController();
	const left = processes.run(endless(path), leaving.signal);
	const waiting = processes.run(plain(path, ["SELECT 1 AS a"]), NEVER);
	leaving.abort(new Error("gone"));
	await expect(left).rejects.toThrow("gone");
	ending.abort(new Error("over"));
	for (const one of running) expect(await one).toMatchObject({ message: "over" });
	expect(await waiting).toEqual([{ a: 1 }]);
});

it("is not asked for where permissions allow no processes, or no threads", () => {
	const allowing = (...scopes: string[]) => {
		const permission = { has: (scope: string) => scopes.includes(scope) };
		Object.defineProperty(process, "permission", { configurable: true, value: permission });
		return canQueryApart();
	};
	const before = Object.getOwnPropertyDescriptor(process, "permission");
	onTestFinished(() => {
		if (before) Object.defineProperty(process, "permission", before);
		else Reflect.deleteProperty(process, "permission");
	});
	expect(allowing("child", "worker")).toBe(true);
	expect([allowing("child"), allowing("worker"), allowing()]).toEqual([false, false, false]);
});

it.runIf(canSeeProcesses)("has nothing of the host's environment but what it needs", async () => {
	const path = await emptyDatabase();
	const { TZ } = process.env;
	Object.assign(process.env, { TZ: "Asia/Tokyo", QUERY_TEST_SECRET: "s3cret" });
	onTestFinished(() => {
		if (TZ === undefined) delete process.env.TZ;
		else process.env.TZ = TZ;
		delete process.env.QUERY_TEST_SECRET;
	});
	const ending = new AbortController();
	const running = new QueryProcesses().run(endless(path), ending.signal);
	const ended = expect(running).rejects.toThrow("over");
	let environment = "";
	await eventually(async () => {
		const [pid] = queryProcessesOf(process.pid);
		environment = fs.readFileSync(`/proc/${pid}/environ`, "utf8");
		expect(environment).toContain("TZ=Asia/Tokyo");
	});
	expect(environment).not.toMatch(/s3cret|^PATH=|\0PATH=/);
	ending.abort(new Error("over"));
	await ended;
});

it.runIf(canSeeProcesses)("ends when its host is killed", async () => {
	const path = await emptyDatabase();
	const file = fileURLToPath(new URL("query-host.ts", import.meta.url));
	const host = spawn(process.execPath, ["--conditions=@rivetkit/source", file, path]);
	onTestFinished(() => void host.kill("SIGKILL"));
	let pid = 0;
	await eventually(async () => {
		[pid = 0] = queryProcessesOf(host.pid!);
		// It computes: it has heard what is asked.
		expect(fs.readdirSync(`/proc/${pid}/fd`).map((one) => linkOf(pid, one))).toContain(path);
	});
	host.kill("SIGKILL");
	await eventually(async () => expect(commandOf(pid)).toBe(""));
});

function linkOf(pid: number, descriptor: string): string {
	try {
		return fs.readlinkSync(`/proc/${pid}/fd/${descriptor}`);
	} catch {
		return "";
	}
}
