import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "example-support/free-port";
import { afterEach, expect, it } from "vitest";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function environment(): Promise<Record<string, string>> {
	const data = await mkdtemp(join(tmpdir(), "workflows-"));
	cleanUps.push(() => rm(data, { recursive: true, force: true }));
	const [port, page] = [await freePort(), await freePort()];
	return { RIVETKIT_STORAGE_PATH: data, PORT: String(port), PAGE_PORT: String(page) };
}

/** Runs a program of the example; resolves with its output when `until` matches, or when it ends. */
function run(file: string, env: Record<string, string>, until?: RegExp) {
	const child = spawn(process.execPath, [join(folder, "src", file)], {
		cwd: env.RIVETKIT_STORAGE_PATH,
		env: { ...process.env, NODE_ENV: "", ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	cleanUps.push(() => end(child, "SIGKILL"));
	return new Promise<{ child: ChildProcess; output: string }>((resolve, reject) => {
		let output = "";
		const hear = (chunk: Buffer) => {
			output += chunk.toString();
			if (until?.test(output)) resolve({ child, output });
		};
		child.stdout.on("data", hear);
		child.stderr.on("data", hear);
		child.on("close", (code) =>
			code === 0
				? resolve({ child, output })
				: reject(new Error(`${file} ended with ${code}:\n${output}`)),
		);
	});
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
	return new Promise((resolve) => {
		child.once("exit", () => resolve());
		child.kill(signal);
	});
}

it("books a trip or undoes all of it", async () => {
	const { output } = await run("saga.ts", await environment());
	expect(output).toMatch(/first: booked: flight booked, hotel booked, paid\n/);
	expect(output).toMatch(/second: failed: flight booked, flight cancelled \(.*full.*\)\n/s);
	expect(output).toMatch(
		/third: failed: flight booked, hotel booked, hotel cancelled, flight cancelled \(.*\)\n/,
	);
	expect(output).toContain("booked: 1 of 2 seats");
	expect(output).toContain("balance: 300");
});

it("waits for a decision in the page, over a kill -9", async () => {
	const env = await environment();
	const page = `http://127.0.0.1:${env.PAGE_PORT}/`;
	const post = (path: string, form: Record<string, string>) =>
		fetch(`${page}${path}`, { method: "POST", body: new URLSearchParams(form) }).then((r) =>
			r.text(),
		);
	const first = await run("approvals.ts", env, /Approvals at/);
	expect(await post("expenses", { what: "a <pen>", amount: "3" })).toContain("a &#60;pen&#62;");
	await end(first.child, "SIGKILL");
	const second = await run("approvals.ts", env, /Approvals at/);
	const html = await (await fetch(page)).text();
	const [, id] = /action="\/decide\/([^"]+)"/.exec(html)!;
	expect(await post(`decide/${id}`, { approved: "yes", by: "ann" })).toContain("approved by ann");
	await end(second.child, "SIGTERM");
});

it("refuses what there is not, what is wrong and what is decided, and creates nothing", async () => {
	const env = await environment();
	const page = `http://127.0.0.1:${env.PAGE_PORT}/`;
	const post = async (path: string, form: Record<string, string>) => {
		const init = { method: "POST", body: new URLSearchParams(form), redirect: "manual" } as const;
		const response = await fetch(`${page}${path}`, init);
		return [response.status, await response.text()];
	};
	const { child } = await run("approvals.ts", env, /Approvals at/);
	const decision = { approved: "yes", by: "ann" };
	expect(await post("decide/typo", decision)).toEqual([404, "there is no such expense\n"]);
	expect(await post("nowhere", {})).toEqual([404, "there is nothing at /nowhere\n"]);
	for (const amount of ["abc", "", "0", "-1", "Infinity"]) {
		const handedIn = await post("expenses", { what: "a pen", amount });
		expect([amount, ...handedIn]).toEqual([amount, 400, "amount: a number over 0\n"]);
	}
	expect(await post("expenses", { what: " ", amount: "3" })).toEqual([
		400,
		"what: say what the expense is for\n",
	]);
	const empty = await (await fetch(page)).text();
	expect(empty).toContain("<h1>Expenses</h1>");
	expect(empty).not.toContain("/decide/");
	expect(await post("expenses", { what: "a pen", amount: "3.5" })).toEqual([303, ""]);
	const [, id] = /action="\/decide\/([^"]+)"/.exec(await (await fetch(page)).text())!;
	expect(await post(`decide/${id}`, { by: "ann" })).toEqual([400, "approved: yes or no\n"]);
	expect(await post(`decide/${id}`, { approved: "no" })).toEqual([400, "by: say who decides\n"]);
	expect(await post(`decide/${id}`, decision)).toEqual([303, ""]);
	const late = await post(`decide/${id}`, { approved: "no", by: "bob" });
	expect(late).toEqual([409, "it is decided: approved by ann\n"]);
	await end(child, "SIGTERM");
});

it("counts every task once, over runs", async () => {
	const env = await environment();
	expect((await run("worker.ts", env)).output).toContain("16 words in 3 tasks");
	expect((await run("worker.ts", env)).output).toContain("32 words in 6 tasks");
});
