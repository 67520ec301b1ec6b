import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

export interface DevServerOptions {
	/** Folder of the example. */
	readonly root: string;
	/** What of it is served, relative to it. */
	readonly files: readonly string[];
	/** A script that Node runs, and its arguments; the page's port is in `PORT`, the engine's in `MANAGER_PORT`. */
	readonly command: (port: number) => readonly string[];
	/** Printed, all of it, once the server can be asked. */
	readonly ready: readonly string[];
}

/**
 * The development server of a framework on a copy of an example, which tests edit. The copy is a hidden folder of the example, so that
 * packages are found.
 */
export class DevServer {
	/** Of the page. */
	readonly origin: string;
	/** What the processes printed so far. */
	output = "";
	readonly #options: DevServerOptions;
	readonly #folder: string;
	readonly #port: number;
	readonly #managerPort: number;
	#process: ChildProcess | undefined;

	private constructor(
		options: DevServerOptions,
		folder: string,
		port: number,
		managerPort: number,
	) {
		this.#options = options;
		this.#folder = folder;
		this.#port = port;
		this.#managerPort = managerPort;
		this.origin = `http://127.0.0.1:${port}`;
	}

	static async create(options: DevServerOptions): Promise<DevServer> {
		const folder = await mkdtemp(join(options.root, ".test-"));
		for (const name of options.files) {
			await cp(join(options.root, name), join(folder, name), { recursive: true });
		}
		return new DevServer(options, folder, await freePort(), await freePort());
	}

	/** Resolves when the server can be asked. */
	async start(): Promise<void> {
		const { NODE_ENV: _, VITEST: __, ...env } = process.env;
		const settings: Record<string, string | undefined> = {
			...env,
			NO_COLOR: "1",
			NEXT_TELEMETRY_DISABLED: "1",
			PORT: `${this.#port}`,
			MANAGER_PORT: `${this.#managerPort}`,
		};
		// A group of its own: frameworks have servers in children, and `kill -9` is to reach all.
		const child = spawn(process.execPath, [...this.#options.command(this.#port)], {
			cwd: this.#folder,
			env: settings as NodeJS.ProcessEnv,
			stdio: ["ignore", "pipe", "pipe"],
			detached: true,
		});
		this.#process = child;
		const began = this.output.length;
		await new Promise<void>((resolve, reject) => {
			const hear = (chunk: Buffer) => {
				this.output += chunk.toString();
				const printed = this.output.slice(began);
				if (this.#options.ready.every((text) => printed.includes(text))) resolve();
			};
			child.stdout.on("data", hear);
			child.stderr.on("data", hear);
			child.once("close", (code) =>
				reject(new Error(`the server ended with ${code}:\n${this.output}`)),
			);
		});
	}

	/** `kill -9`, for the server and what it has started. */
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

	/** Kills the server and removes the copy. */
	async remove(): Promise<void> {
		await this.kill();
		await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
	}
}
