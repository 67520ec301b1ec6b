import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const example = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const next = join(example, "..", "..", "node_modules", "next", "dist", "bin", "next");

async function freePort(): Promise<number> {
	const probe = createServer();
	await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
	const { port } = probe.address() as { port: number };
	await new Promise((resolve) => probe.close(resolve));
	return port;
}

/** `next dev` on a copy of the example, beside it so that packages are found: tests edit it. */
export class DevServer {
	readonly #folder: string;
	readonly #env: Record<string, string | undefined>;
	readonly origin: string;
	#process: ChildProcess | undefined;
	output = "";

	private constructor(folder: string, port: number, managerPort: number) {
		this.#folder = folder;
		this.origin = `http://127.0.0.1:${port}`;
		const { NODE_ENV: _, VITEST: __, ...env } = process.env;
		this.#env = {
			...env,
			PORT: `${port}`,
			MANAGER_PORT: `${managerPort}`,
			NEXT_TELEMETRY_DISABLED: "1",
		};
	}

	static async create(): Promise<DevServer> {
		const folder = await mkdtemp(join(example, ".test-"));
		for (const name of ["app", "src", "next.config.ts", "tsconfig.json", "package.json"]) {
			await cp(join(example, name), join(folder, name), { recursive: true });
		}
		return new DevServer(folder, await freePort(), await freePort());
	}

	async start(): Promise<void> {
		// A group of its own: `next dev` has the server in a child, and `kill -9` is to reach both.
		const child = spawn(process.execPath, [next, "dev", "--hostname", "127.0.0.1"], {
			cwd: this.#folder,
			env: this.#env as NodeJS.ProcessEnv,
			stdio: ["ignore", "pipe", "pipe"],
			detached: true,
		});
		this.#process = child;
		const began = this.output.length;
		await new Promise<void>((resolve, reject) => {
			const hear = (chunk: Buffer) => {
				this.output += chunk.toString();
				if (this.output.slice(began).includes("Ready in")) resolve();
			};
			child.stdout.on("data", hear);
			child.stderr.on("data", hear);
			child.once("exit", (code) => reject(new Error(`next ended with ${code}:\n${this.output}`)));
		});
	}

	async kill(): Promise<void> {
		const child = this.#process;
		if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
		const gone = new Promise((resolve) => child.once("close", resolve));
		process.kill(-child.pid, "SIGKILL");
		await gone;
	}

	/** Changes a file as an editor does. */
	async edit(file: string, change: (text: string) => string): Promise<void> {
		const path = join(this.#folder, file);
		const text = await readFile(path, "utf8");
		const changed = change(text);
		if (changed === text) throw new Error(`the edit of ${file} changes nothing`);
		await writeFile(path, changed);
	}

	async remove(): Promise<void> {
		await this.kill();
		await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
	}
}
