// The servers of docs/servers.md: installs the packed packages, as a user would, and starts each example
// on its runtime as its README says. Actions, streams and events have to come through its mount.

import { execFile } from "node:child_process";
import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type Check, runChecks } from "./lib/checks.ts";
import { freePort } from "./lib/free-port.ts";
import { npm } from "./lib/npm.ts";
import { type PackedPackage, packPackages } from "./lib/pack.ts";
import { BUN, DENO, unpackBinary } from "./lib/runtime-binaries.ts";
import { StartedApp } from "./lib/started-app.ts";
import { readManifest, repoRoot } from "./lib/workspaces.ts";

const run = promisify(execFile);

const START_MS_MAX = 120_000;
const STOP_MS_MAX = 60_000;
const ANSWER_MS_MAX = 60_000;
/** Where the READMEs say that the examples listen. */
const README_PORT = "3000";
const EXAMPLES = join(repoRoot, "examples", "servers");

/** How an example is started, and who takes its WebSockets. */
interface Start {
	readonly title: string;
	readonly example: string;
	/** Instead of the last command of its README. */
	readonly command?: string;
	readonly nodeEnv?: "production";
	/** The server that is tested, or the address that its `/metadata` names (ruling 7). */
	readonly sockets: "mount" | "metadata";
}

const onNodeServers = ["express", "fastify", "h3", "hono", "node-http", "trpc"];
const elsewhere = ["bun", "deno", "elysia", "nitro"];
const STARTS: readonly Start[] = [
	...onNodeServers.map((example) => ({ title: example, example, sockets: "mount" }) as const),
	...elsewhere.map((example) => ({ title: example, example, sockets: "metadata" }) as const),
	// One port, in production, on each runtime.
	...["node src/server.ts", "bun src/server.ts", "deno run --allow-all src/server.ts"].map(
		(command) =>
			({
				title: `node-http in production, by ${command}`,
				example: "node-http",
				command,
				nodeEnv: "production",
				sockets: "mount",
			}) as const,
	),
];

/** The commands of a README: how to install and start it, and what to try then. */
function commandsOf(example: string): { readonly start: string[]; readonly tries: string[] } {
	const readme = readFileSync(join(EXAMPLES, example, "README.md"), "utf8");
	const blocks = [...readme.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, block]) =>
		block!.trim().split("\n"),
	);
	const [start, tries, ...more] = blocks;
	if (start?.[0] !== "npm install" || tries === undefined || more.length > 0) {
		throw new Error(`${example}/README.md should have two blocks, the first with npm install`);
	}
	return { start: start.slice(1), tries };
}

/** One installation for all examples: what they ask for, and of ours the tarballs. */
async function install(root: string, packed: readonly PackedPackage[]): Promise<void> {
	const manifests = readdirSync(EXAMPLES).map((example) => readManifest(join(EXAMPLES, example)));
	const ours = packed.map(({ workspace, tarball }) => [workspace.manifest.name, `file:${tarball}`]);
	const manifest = {
		private: true,
		type: "module",
		dependencies: {
			...Object.assign({}, ...manifests.map(({ dependencies }) => dependencies)),
			...Object.assign({}, ...manifests.map(({ devDependencies }) => devDependencies)),
			...Object.fromEntries(ours),
		},
	};
	writeFileSync(join(root, "package.json"), JSON.stringify(manifest));
	await npm(root, "install", "--ignore-scripts");
	const commands = join(root, "commands");
	mkdirSync(commands);
	symlinkSync(await unpackBinary(join(root, "runtimes"), BUN), join(commands, "bun"));
	symlinkSync(await unpackBinary(join(root, "runtimes"), DENO), join(commands, "deno"));
	for (const example of readdirSync(EXAMPLES)) {
		cpSync(join(EXAMPLES, example), join(root, example), { recursive: true });
	}
}

/** What a compiler thinks of the examples, with the types that users get. */
async function typesFit(root: string): Promise<void> {
	const config = {
		extends: join(repoRoot, "tsconfig.base.json"),
		compilerOptions: { noEmit: true, customConditions: [], types: ["node", "bun"] },
		include: readdirSync(EXAMPLES).map((example) => `${example}/**/*.ts`),
		exclude: ["deno", "**/node_modules", "**/.nitro", "**/.output"],
	};
	writeFileSync(join(root, "tsconfig.json"), JSON.stringify(config));
	const failed = ({ stdout, stderr }: { stdout: string; stderr: string }) => {
		throw new Error(stdout + stderr);
	};
	await run("tsc", ["-p", root], { cwd: root }).catch(failed);
	const deno = join(root, "commands", "deno");
	await run(deno, ["check", "src/server.ts"], { cwd: join(root, "deno") }).catch(failed);
}

function same(seen: unknown, expected: unknown): void {
	const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)];
	if (left !== right) throw new Error(`expected ${right}, got ${left}`);
}

function checksOf(root: string, start: Start): Check[] {
	const { title, example, sockets } = start;
	const folder = join(root, example);
	let app: StartedApp | undefined;
	let port = 0;
	let ownPort = 0;
	const endpoint = () => `http://127.0.0.1:${port}/api/rivet`;
	const environment = () => ({
		...process.env,
		// Examples are started as users start them, not as CI does.
		CI: "",
		NODE_ENV: start.nodeEnv ?? "",
		PATH: `${join(root, "commands")}:${process.env.PATH}`,
		PORT: String(port),
		HOST: "127.0.0.1",
		RIVETKIT_PORT: String(ownPort),
	});
	const checks: Check[] = [
		{
			title: `${title}: starts`,
			run: async () => {
				port = await freePort();
				ownPort = await freePort();
				const commands = commandsOf(example).start;
				const last = start.command ?? commands.at(-1)!;
				for (const command of start.command ? [] : commands.slice(0, -1)) {
					await run("bash", ["-c", command], { cwd: folder, env: environment() });
				}
				app = new StartedApp(last, { cwd: folder, env: environment() });
				await app.printed(/Listening on http/, START_MS_MAX);
			},
		},
		{
			title: `${title}: answers what its README tries`,
			run: async () => {
				for (const line of commandsOf(example).tries) {
					const command = line.replace(`:${README_PORT}/`, `:${port}/`);
					const { stdout } = await run("bash", ["-c", `${command} -sS --fail-with-body -m 60`]);
					if (!/^Hello from |^\{"output":\d+\}$|^\{"result":/.test(stdout)) {
						throw new Error(`${command} printed ${stdout}`);
					}
				}
			},
		},
		{
			title: `${title}: streams an action through the mount`,
			run: async () => {
				const query =
					"rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=stream";
				const response = await fetch(`${endpoint()}/gateway/counter/action/countTo?${query}`, {
					method: "POST",
					headers: { "x-rivet-stream": "1" },
					body: JSON.stringify({ args: [3] }),
					signal: AbortSignal.timeout(ANSWER_MS_MAX),
				});
				same(await response.text(), '{"value":1}\n{"value":2}\n{"value":3}\n{"done":true}\n');
			},
		},
		{
			title:
				sockets === "mount"
					? `${title}: calls and events of a client pass through the mount`
					: `${title}: calls of a client pass through the mount, its socket goes where /metadata says`,
			run: async () => {
				const metadata = (await (await fetch(`${endpoint()}/metadata`)).json()) as {
					clientEndpoint?: string;
				};
				if (sockets === "metadata") same(metadata.clientEndpoint, `http://127.0.0.1:${ownPort}`);
				const entry = join(root, "node_modules", "rivetkit", "dist", "client", "index.js");
				const { createClient } = (await import(
					pathToFileURL(entry).href
				)) as typeof import("rivetkit/client");
				const through = createClient({ endpoint: endpoint(), disableMetadataLookup: true });
				const looking = createClient({ endpoint: endpoint() });
				try {
					const counter = through.counter!.getOrCreate(["check"]);
					same(await counter.increment(2), 2);
					const connecting = sockets === "mount" ? through : looking;
					const connection = connecting.counter!.getOrCreate(["check"]).connect();
					const told = new Promise((resolve) => connection.once("count", resolve));
					same(await connection.increment(3), 5);
					same(await told, 5);
				} finally {
					await Promise.all([through.dispose(), looking.dispose()]);
				}
			},
		},
		{
			title: `${title}: Ctrl-C stops it`,
			run: async () => {
				await app!.interrupt(STOP_MS_MAX);
				const refused = await fetch(`http://127.0.0.1:${port}/`).catch(() => "nobody listens");
				same(refused, "nobody listens");
				rmSync(join(folder, ".rivetkit"), { recursive: true });
			},
		},
	];
	// What is left of one that failed must not be in the way of the next.
	const last = checks.at(-1)!;
	checks[checks.length - 1] = {
		...last,
		run: async () => {
			try {
				await last.run();
			} finally {
				await app?.kill();
			}
		},
	};
	return checks;
}

const root = mkdtempSync(join(tmpdir(), "rivetkit-servers-"));
try {
	const packed = await packPackages(join(root, "tarballs"));
	await install(root, packed);
	process.exitCode = await runChecks([
		{
			title: "every example is started",
			run: () => {
				same(
					[...new Set(STARTS.map(({ example }) => example))].sort(),
					readdirSync(EXAMPLES).sort(),
				);
			},
		},
		{ title: "the examples' types fit", run: () => typesFit(root) },
		...STARTS.flatMap((start) => checksOf(root, start)),
	]);
} finally {
	rmSync(root, { recursive: true, force: true });
}
