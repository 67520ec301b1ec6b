import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const example = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const vite = join(example, "..", "..", "node_modules", "vite", "bin", "vite.js");

async function freePort(): Promise<number> {
	const probe = createServer();
	await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
	const { port } = probe.address() as { port: number };
	await new Promise((resolve) => probe.close(resolve));
	return port;
}

/** `vite` on a copy of the example, beside it so that packages are found: tests edit it. */
export class DevServer {
	readonly origin: string;
	readonly #folder: string;
	readonly #port: number;
	readonly #managerPort: number;
	#process: ChildProcess | undefined;
	output = "";

	private constructor(folder: string, port: number, managerPort: number) {
		this.#folder = folder;
		this.#port = port;
		this.#managerPort = managerPort;
		this.origin = `http://127.0.0.1:${port}`;
	}

	static async create(): Promise<DevServer> {
		const folder = await mkdtemp(join(example, ".test-"));
		for (const name of ["src", "index.html", "vite.config.ts", "package.json"]) {
			await cp(join(example, name), join(folder, name), { recursive: true });
		}
		return new DevServer(folder, await freePort(), await freePort());
	}

	async start(): Promise<void> {
		const { NODE_ENV: _, VITEST: __, ...env } = process.env;
		const child = spawn(
			process.execPath,
			[vite, "--host", "127.0.0.1", "--port", `${this.#port}`, "--strictPort"],
			{
				cwd: this.#folder,
				env: { ...env, NO_COLOR: "1", MANAGER_PORT: `${this.#managerPort}` },
				stdio: ["ignore", "pipe", "pipe"],
			},
		);
		this.#process = child;
		const began = this.output.length;
		await new Promise<void>((resolve, reject) => {
			const hear = (chunk: Buffer) => {
				this.output += chunk.toString();
				// Vite's own line, and the engine's.
				const printed = this.output.slice(began);
				if (printed.includes("Local:") && printed.includes("Endpoint:")) resolve();
			};
			child.stdout.on("data", hear);
			child.stderr.on("data", hear);
			child.once("exit", (code) => reject(new Error(`vite ended with ${code}:\n${this.output}`)));
		});
	}

	async kill(): Promise<void> {
		const child = this.#process;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const gone = new Promise((resolve) => child.once("close", resolve));
		child.kill("SIGKILL");
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
