// Installs the packed packages into an empty project, as a user would, and loads them on every Node
// version we speak of: the oldest we support, the current lines, and one that is too old. Runs actors on
// each of them, on Bun and on Deno.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Check, runChecks } from "./lib/checks.ts";
import { npm } from "./lib/npm.ts";
import { packPackages } from "./lib/pack.ts";
import { BUN, DENO, nodeOf, type Runtime, unpackBinary } from "./lib/runtime-binaries.ts";
import { targetsOf, type Workspace } from "./lib/workspaces.ts";

const run = promisify(execFile);

/** The repository's own is among them, and not fetched again. */
const SUPPORTED = ["22.13.0", "24.21.0", "26.10.0"].map(nodeOf);
/** Too old: user code must meet one clear sentence, not a stack trace. */
const TOO_OLD = nodeOf("20.20.2");
const SENTENCE = /^[^\n]*Node(\.js)? (>=? ?)?22\.13[^\n]*$/;

/** Import specifiers of a package: `rivetkit`, `rivetkit/client`, … Only entries that have code. */
function specifiersOf({ manifest }: Workspace): string[] {
	const { exports } = manifest;
	if (exports === null || typeof exports !== "object") return [manifest.name];
	return Object.entries(exports)
		.filter(([, target]) => targetsOf(target).some((file) => file.endsWith(".js")))
		.map(([subpath]) => manifest.name + subpath.slice(1));
}

/** Peers that an entry point needs and that the published manifests mark optional. */
const OPTIONAL_PEERS = ["drizzle-orm"];

/** Runs actors and calls them over HTTP, a WebSocket and in process; then again on the same data. */
const PROGRAM = `
import { actor, event, setup } from "rivetkit";
import { createClient } from "rivetkit/client";

const counter = actor({
	state: { count: 0 },
	events: { count: event() },
	actions: {
		add: (c, amount) => {
			c.state.count += amount;
			c.broadcast("count", c.state.count);
			return c.state.count;
		},
	},
});
const [, , storagePath] = process.argv;
const registry = setup({ use: { counter }, storagePath, managerPort: 0, noWelcome: true });
const { url } = await registry.listen();
const client = createClient(url);
const remote = client.counter.getOrCreate(["runs"]);
const before = await remote.add(1);
const connection = remote.connect();
const told = new Promise((resolve) => connection.once("count", resolve));
const answered = await connection.add(1);
const local = await registry.start().client.counter.getOrCreate(["runs"]).add(1);
const handled = await registry.handler(new Request("http://app/api/rivet/health"));
const seen = [before, await told, answered, local, handled.status].join(" ");
await client.dispose();
await registry.shutdown();
console.log(seen);
process.exit(0);
`;

/** What SQL does in an actor, from the tests of `c.db`; see there. */
const SQL_SUITE = "packages/rivetkit/test/database/conformance/suite.ts";

/** Runs the SQL suite in actions, each case in an actor of its own; prints how many passed. */
const SQL_PROGRAM = `
import { eq } from "drizzle-orm";
import { actor, setup } from "rivetkit";
import { db } from "rivetkit/db";
import { db as drizzle, integer, sqliteTable, text } from "rivetkit/db/drizzle";
import { cases } from "./sql-suite.mjs";

const notes = sqliteTable("notes", { id: integer("id").primaryKey(), text: text("text") });
const tags = sqliteTable("tags", { id: integer("id").primaryKey(), text: text("text") });
const migrations = {
	journal: { entries: [{ idx: 0, when: 1, tag: "0000_notes" }] },
	migrations: {
		m0000: "CREATE TABLE notes (id integer PRIMARY KEY, text text); CREATE TABLE tags (id integer PRIMARY KEY, text text)",
	},
};
const sql = actor({
	db: db(),
	actions: {
		run: (c, index) => cases[index].run(c.db),
		integrity: async (c) => (await c.db.execute("PRAGMA integrity_check"))[0].integrity_check,
		nap: (c) => c.sleep(),
	},
});
const orm = actor({
	db: drizzle({ schema: { notes, tags }, migrations }),
	actions: {
		join: async (c) => {
			await c.db.insert(notes).values({ text: "note" });
			await c.db.insert(tags).values({ text: "tag" });
			// Columns of the same name in both.
			const [row] = await c.db.select().from(notes).innerJoin(tags, eq(notes.id, tags.id));
			return row;
		},
	},
});
const [, , storagePath] = process.argv;
const registry = setup({ use: { sql, orm }, storagePath, managerPort: 0, noWelcome: true });
const { client } = registry.start();
let passed = 0;
for (const [index, { name }] of cases.entries()) {
	const handle = client.sql.getOrCreate([name]);
	try {
		await handle.run(index);
		await handle.nap();
		if ((await handle.integrity()) !== "ok") throw new Error("the database is damaged");
		passed++;
	} catch (error) {
		console.log(name + ": " + error.message);
	}
}
const joined = JSON.stringify(await client.orm.getOrCreate(["a"]).join());
await registry.shutdown();
console.log(passed + " of " + cases.length + " cases " + joined);
process.exit(0);
`;
const SQL_PRINTED =
	/^(\d+) of \1 cases \{"notes":\{"id":1,"text":"note"\},"tags":\{"id":1,"text":"tag"\}\}$/;

/** Runs {@link SQL_PROGRAM}. */
async function sqlWorks(app: string, command: string, options: string[]): Promise<void> {
	const data = mkdtempSync(join(app, "sql-data-"));
	const { stdout } = await run(command, [...options, join(app, "sql.mjs"), data], {
		cwd: app,
		timeout: 120_000,
		env: {
			...process.env,
			NODE_ENV: "production",
			NODE_NO_WARNINGS: "1",
			RIVET_EXPOSE_ERRORS: "1",
		},
	});
	if (!SQL_PRINTED.test(stdout.trim())) throw new Error(stdout);
}

/** Other runtimes, with what stands before the file in their commands. */
const OTHERS = [
	{ runtime: BUN, options: [] },
	{ runtime: DENO, options: ["run", "--allow-all"] },
];

/** Runs {@link PROGRAM} twice on the same data. */
async function countsTwice(app: string, command: string, options: string[]): Promise<void> {
	const data = mkdtempSync(join(app, "data-"));
	for (const expected of ["1 2 2 3 200", "4 5 5 6 200"]) {
		const { stdout } = await run(command, [...options, join(app, "counts.mjs"), data], {
			cwd: app,
			timeout: 60_000,
			env: { ...process.env, NODE_ENV: "production" },
		});
		if (stdout.trim() !== expected) throw new Error(`expected ${expected}, got ${stdout}`);
	}
}

/** The `rivetkit` command loads, and says in a sentence that there is no server. */
async function commandWorks(app: string, command: string, options: string[]): Promise<void> {
	const main = join(app, "node_modules", "rivetkit", "dist", "cli", "main.js");
	const cli = (...rest: string[]) =>
		run(command, [...options, main, ...rest], { cwd: app, timeout: 60_000 }).then(
			({ stdout }) => stdout,
			({ stderr }: { stderr: string }) => stderr,
		);
	const version = await cli("--version");
	if (!/^\d+\.\d+\.\d+\n$/.test(version)) throw new Error(`--version printed ${version}`);
	// Nothing listens on this port, and browsers' rules do not forbid it.
	const refused = await cli("actors", "list", "--endpoint", "http://127.0.0.1:6");
	if (!/^error: Cannot reach a RivetKit server at [^\n]*\n$/.test(refused)) {
		throw new Error(`actors list printed ${refused}`);
	}
	const mcp = run(command, [...options, main, "mcp"], { cwd: app, timeout: 60_000 });
	const { stdin } = mcp.child;
	stdin?.end(
		`${JSON.stringify({
			jsonrpc: "2.0",
			id: 1,
			method: "initialize",
			params: {
				protocolVersion: "2025-06-18",
				capabilities: {},
				clientInfo: { name: "check", version: "0" },
			},
		})}\n`,
	);
	const { stdout: answer } = await mcp;
	if (JSON.parse(answer).result.serverInfo.name !== "rivetkit") {
		throw new Error(`mcp answered ${answer}`);
	}
}

/** Loads one entry after the other, both ways, and prints how many there were. */
function loadAll(specifiers: readonly string[]): string {
	return `(async () => {
		const specifiers = ${JSON.stringify(specifiers)};
		for (const specifier of specifiers) {
			const imported = await import(specifier);
			const required = require(specifier);
			const copies = Object.keys(imported).filter((name) => required[name] !== imported[name]);
			if (copies.length > 0) throw new Error(specifier + " is there twice: " + copies.join(", "));
		}
		process.stdout.write(String(specifiers.length));
	})()`;
}

const folder = mkdtempSync(join(tmpdir(), "rivetkit-runtimes-"));
try {
	const packed = await packPackages(join(folder, "tarballs"));
	const app = join(folder, "app");
	mkdirSync(app);
	writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "commonjs" }));
	await npm(app, "install", ...packed.map(({ tarball }) => tarball), ...OPTIONAL_PEERS);
	writeFileSync(join(app, "counts.mjs"), PROGRAM);
	writeFileSync(join(app, "sql.mjs"), SQL_PROGRAM);
	const suite = stripTypeScriptTypes(readFileSync(SQL_SUITE, "utf8"));
	writeFileSync(join(app, "sql-suite.mjs"), suite);
	const specifiers = packed.flatMap(({ workspace }) => specifiersOf(workspace));
	// All at once, as most of it is waiting. A check that needs one says what went wrong.
	const binaries = new Map<Runtime, Promise<string>>();
	for (const runtime of [...SUPPORTED, TOO_OLD, ...OTHERS.map(({ runtime }) => runtime)]) {
		const path =
			runtime.version === process.versions.node
				? Promise.resolve(process.execPath)
				: unpackBinary(join(folder, "runtimes"), runtime);
		// Who needs it meets the error.
		path.catch(() => {});
		binaries.set(runtime, path);
	}

	const checks: Check[] = [];
	for (const runtime of SUPPORTED) {
		const { title, version } = runtime;
		let node = "";
		checks.push({
			title: `${title} runs`,
			run: async () => {
				node = await binaries.get(runtime)!;
				const { stdout } = await run(node, ["--version"]);
				if (stdout.trim() !== `v${version}`)
					throw new Error(`asked for ${version}, got ${stdout.trim()}`);
			},
		});
		checks.push({
			title: `${title}: actors run, and go on after a restart`,
			run: () => countsTwice(app, node, []),
		});
		checks.push({
			title: `${title}: the command line runs`,
			run: () => commandWorks(app, node, []),
		});
		checks.push({
			title: `${title}: the SQL suite passes in actors`,
			run: () => sqlWorks(app, node, []),
		});
		checks.push({
			title: `${title}: require() and import give the same module, for each of ${specifiers.length} entries`,
			run: async () => {
				const { stdout } = await run(
					node,
					["--disable-warning=ExperimentalWarning", "-e", loadAll(specifiers)],
					{ cwd: app },
				);
				if (stdout !== String(specifiers.length))
					throw new Error(`printed ${JSON.stringify(stdout)}`);
			},
		});
	}
	for (const { runtime, options } of OTHERS) {
		const { title } = runtime;
		let path = "";
		checks.push({
			title: `${title}: actors run, and go on after a restart`,
			run: async () => {
				path = await binaries.get(runtime)!;
				await countsTwice(app, path, options);
			},
		});
		checks.push({
			title: `${title}: the command line runs`,
			run: () => commandWorks(app, path, options),
		});
		checks.push({
			title: `${title}: the SQL suite passes in actors`,
			run: () => sqlWorks(app, path, options),
		});
	}
	checks.push({
		title: `${TOO_OLD.title} gets one clear sentence`,
		run: async () => {
			const node = await binaries.get(TOO_OLD)!;
			const program = `import { actor, setup } from "rivetkit";
				const counter = actor({ state: { count: 0 }, actions: { add: (c) => (c.state.count += 1) } });
				setup({ use: { counter } }).start();`;
			const file = join(app, "too-old.mjs");
			writeFileSync(file, program);
			const outcome = await run(node, [file], { cwd: app, timeout: 60_000 }).then(
				() => ({ code: 0, stderr: "" }),
				(error: { code: number; stderr: string }) => error,
			);
			if (outcome.code === 0) throw new Error("the program ran");
			if (!SENTENCE.test(outcome.stderr.trim())) throw new Error(`it printed:\n${outcome.stderr}`);
			const main = join(app, "node_modules", "rivetkit", "dist", "cli", "main.js");
			const cli = await run(node, [main, "actors", "list"], { cwd: app }).then(
				() => "nothing, and went on",
				({ stderr }: { stderr: string }) => stderr.trim(),
			);
			if (!SENTENCE.test(cli)) throw new Error(`the command line printed ${cli}`);
		},
	});
	process.exitCode = await runChecks(checks);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
