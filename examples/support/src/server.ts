import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, vi } from "vitest";
import { freePort } from "./free-port.ts";

/** An example's server: one folder of data and the same ports over every start. */
export interface ExampleServer {
	/** Folder of the example. */
	readonly root: string;
	/** Where the actors are. */
	readonly url: string;
	/** Where the page is, in examples that have one. */
	readonly pageUrl: string;
	/** What the processes printed so far. */
	readonly output: string;
	readonly env: NodeJS.ProcessEnv;
	/** Resolves when the server has said where it is. */
	start(): Promise<void>;
	/** Resolves with the exit code, null after SIGKILL. */
	stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** `src/server.ts` of the example in `root`, started before the tests of the file and killed after them. */
export function exampleServer(root: string, extraEnv: NodeJS.ProcessEnv = {}): ExampleServer {
	let child: ChildProcess | undefined;
	let output = "";
	let env: NodeJS.ProcessEnv = {};

	const server: ExampleServer = {
		root,
		get url() {
			return `http://127.0.0.1:${env.MANAGER_PORT}`;
		},
		get pageUrl() {
			return `http://127.0.0.1:${env.PORT}`;
		},
		get output() {
			return output;
		},
		get env() {
			return env;
		},
		async start() {
			const process_ = spawn(process.execPath, [join(root, "src", "server.ts")], {
				cwd: root,
				env,
				stdio: ["ignore", "pipe", "pipe"],
			});
			child = process_;
			const begin = output.length;
			await new Promise<void>((resolve, reject) => {
				const hear = (chunk: Buffer) => {
					output += chunk.toString();
					// Its last line: everything listens by then.
					if (/ at http:\/\/127\.0\.0\.1:/.test(output.slice(begin))) resolve();
				};
				process_.stdout.on("data", hear);
				process_.stderr.on("data", hear);
				process_.once("close", (code) =>
					reject(new Error(`the server ended with ${code}:\n${output.slice(begin)}`)),
				);
			});
		},
		stop(signal) {
			const process_ = child;
			if (!process_) return Promise.resolve(null);
			if (process_.exitCode !== null || process_.signalCode !== null) {
				return Promise.resolve(process_.exitCode);
			}
			return new Promise((resolve) => {
				process_.once("close", (code) => resolve(code));
				process_.kill(signal);
			});
		},
	};

	beforeAll(async () => {
		const data = await mkdtemp(join(tmpdir(), "example-"));
		const [port, managerPort] = [await freePort(), await freePort()];
		env = {
			...process.env,
			NODE_ENV: "",
			PORT: `${port}`,
			MANAGER_PORT: `${managerPort}`,
			RIVETKIT_STORAGE_PATH: data,
			...extraEnv,
		};
		await server.start();
		return async () => {
			await server.stop("SIGKILL");
			await rm(data, { recursive: true, force: true });
		};
	});
	return server;
}

/** Resolves when `assertion` holds. The machine may be busy: it has 45 seconds. */
export function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
	return vi.waitFor(assertion, { timeout: 45_000, interval: 20 });
}
