// Makes a project from each template of create-rivetkit, from the packed tarballs as its users would, and
// runs what the project says of itself: it starts, its tests pass, its types fit. One install serves all.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Check, runChecks } from "./lib/checks.ts";
import { freePort } from "./lib/free-port.ts";
import { packPackages } from "./lib/pack.ts";
import { TEMPLATES } from "./lib/templates.ts";
import { repoRoot } from "./lib/workspaces.ts";

const run = promisify(execFile);
const env = {
	...process.env,
	PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
	NEXT_TELEMETRY_DISABLED: "1",
};

async function npm(cwd: string, ...rest: string[]): Promise<void> {
	try {
		await run("npm", ["--loglevel=error", ...rest], { cwd, env, timeout: 900_000 });
	} catch (error) {
		const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
		throw new Error(`npm ${rest.join(" ")}\n${stdout}${stderr}`);
	}
}

/** How a project is started as its README says; `page` and `actors` are ports. */
interface Start {
	/** What `npm run` is given. */
	readonly script: (page: number) => readonly string[];
	readonly env: (page: number, actors: number) => Readonly<Record<string, string>>;
	/** What answers then. */
	readonly url: (page: number, actors: number) => string;
}

const server: Start = {
	script: () => ["start"],
	env: (page, actors) => ({ PORT: `${actors}`, PAGE_PORT: `${page}` }),
	url: (_page, actors) => `http://127.0.0.1:${actors}/health`,
};
const pageServer: Start = {
	script: () => ["start"],
	env: (page, actors) => ({ PORT: `${page}`, MANAGER_PORT: `${actors}` }),
	url: (page) => `http://127.0.0.1:${page}/api/rivet/health`,
};

const STARTS: Readonly<Record<string, Start>> = {
	"hello-world": server,
	queue: server,
	workflow: { ...server, url: (page) => `http://127.0.0.1:${page}/` },
	chat: pageServer,
	next: { ...pageServer, script: () => ["dev"] },
	react: {
		...pageServer,
		script: (page) => ["dev", "--", "--host", "127.0.0.1", "--port", `${page}`, "--strictPort"],
	},
};

/** Vitest gives a test five seconds; this machine may be busy with other checks. */
const PATIENT = ["--", "--testTimeout=120000", "--hookTimeout=120000"];

/** What a framework compiles at the first request takes its time on a busy machine. */
const START_LIMIT_MS = 300_000;

async function starts(project: string, name: string): Promise<void> {
	const start = STARTS[name];
	if (start === undefined)
		throw new Error(`scripts/check-templates.ts does not say how ${name} starts`);
	const [page, actors] = [await freePort(), await freePort()];
	// A group of its own, which npm, the framework and its server are in.
	const child = spawn("npm", ["run", ...start.script(page)], {
		cwd: project,
		env: { ...env, ...start.env(page, actors) },
		stdio: ["ignore", "pipe", "pipe"],
		detached: true,
	});
	let output = "";
	child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
	child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
	const url = start.url(page, actors);
	const closed = new Promise((resolve) => child.once("close", resolve));
	try {
		const deadline = Date.now() + START_LIMIT_MS;
		while (!(await answers(url))) {
			if (Date.now() > deadline || child.exitCode !== null) {
				throw new Error(`nothing answers at ${url}; it printed:\n${output}`);
			}
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
	} finally {
		if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL");
		await closed;
	}
}

async function answers(url: string): Promise<boolean> {
	try {
		const answer = await fetch(url);
		await answer.body?.cancel();
		return answer.ok;
	} catch {
		// Not yet.
		return false;
	}
}

const folder = mkdtempSync(join(tmpdir(), "rivetkit-templates-"));
try {
	const packed = await packPackages(join(folder, "tarballs"));
	const tarballs = Object.fromEntries(
		packed.map(({ workspace, tarball }) => [workspace.manifest.name, `file:${tarball}`]),
	);
	const tool = join(folder, "tool");
	mkdirSync(tool);
	writeFileSync(join(tool, "package.json"), '{ "private": true }');
	const install = ["install", "--prefer-offline", "--no-audit", "--no-fund"];
	await npm(tool, ...install, tarballs["create-rivetkit"]!);
	const create = join(tool, "node_modules", ".bin", "create-rivetkit");

	const names = readdirSync(join(repoRoot, "packages", "create-rivetkit", TEMPLATES));
	const all = join(folder, "projects");
	mkdirSync(all);
	const projectOf = (name: string) => join(all, `my-${name}`);
	const checks: Check[] = names.map((name) => ({
		title: `${name}: is written, and not over what is there`,
		run: async () => {
			const asked = ["--template", name, "--no-install"];
			await run(create, [projectOf(name), ...asked], { cwd: all, env });
			for (const file of [
				"package.json",
				"tsconfig.json",
				"README.md",
				".gitignore",
				"src",
				"test",
			]) {
				if (!existsSync(join(projectOf(name), file))) throw new Error(`${file} is missing`);
			}
			const again = await run(create, [projectOf(name), ...asked], { cwd: all, env }).then(
				() => "nothing, and went on",
				({ stderr }: { stderr: string }) => stderr,
			);
			if (!/^error: \S+ is not empty \(/.test(again)) throw new Error(`it printed ${again}`);
		},
	}));
	checks.push({
		title: "all of them install, with scripts blocked",
		run: async () => {
			const manifest = { private: true, workspaces: ["my-*"], dependencies: tarballs };
			writeFileSync(join(all, "package.json"), JSON.stringify(manifest));
			await npm(all, ...install, "--ignore-scripts");
		},
	});
	for (const name of names) {
		checks.push(
			{ title: `${name}: starts as its README says`, run: () => starts(projectOf(name), name) },
			{ title: `${name}: its tests pass`, run: () => npm(projectOf(name), "test", ...PATIENT) },
			{ title: `${name}: its types fit`, run: () => npm(projectOf(name), "run", "typecheck") },
		);
	}
	process.exitCode = await runChecks(checks);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
