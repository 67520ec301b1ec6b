import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { programFile } from "../../../../scripts/lib/test-programs.ts";

/** A server in a process of its own, which can be killed and started again on the same data and port. */
export class ServerProcess {
	readonly #file: string;
	readonly #nodeEnv: string;
	readonly args: readonly string[];
	/** Everything the process of the last start has printed. */
	output = "";
	#child: ChildProcess | null = null;
	/** Resolves with the exit code (null after a signal) when the process has ended and all it printed was heard. */
	#closed: Promise<number | null> | null = null;

	/** @param nodeEnv - `NODE_ENV` of the process */
	constructor(file: string, args: readonly string[], nodeEnv = "production") {
		this.#nodeEnv = nodeEnv;
		this.#file = programFile(fileURLToPath(new URL(file, import.meta.url)));
		this.args = args;
	}

	/** Resolves when the server listens. Rejects with its output when it ends before. */
	async start(): Promise<void> {
		const child = spawn(
			process.execPath,
			[
				"--conditions=@rivetkit/source",
				"--disable-warning=ExperimentalWarning",
				this.#file,
				...this.args,
			],
			{ stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NODE_ENV: this.#nodeEnv } },
		);
		this.#child = child;
		this.output = "";
		this.#closed = new Promise((resolve) => {
			child.once("close", (code) => {
				if (this.#child === child) this.#child = null;
				resolve(code);
			});
		});
		await new Promise<void>((resolve, reject) => {
			const hear = (chunk: Buffer) => {
				this.output += chunk.toString();
				if (/^listening /m.test(this.output)) resolve();
			};
			child.stdout.on("data", hear);
			child.stderr.on("data", hear);
			child.once("close", (code, signal) =>
				reject(new Error(`ended (${code ?? signal}):\n${this.output}`)),
			);
		});
	}

	get pid(): number | undefined {
		return this.#child?.pid;
	}

	get isRunning(): boolean {
		return this.#child !== null;
	}

	signal(signal: NodeJS.Signals): void {
		this.#child?.kill(signal);
	}

	/** Resolves with the exit code when the process ends by itself; `output` is whole then. */
	async exited(): Promise<number | null> {
		return this.#closed;
	}

	/** Ends the process; resolves with its exit code (null after SIGKILL) when it is gone. */
	async end(signal: NodeJS.Signals): Promise<number | null> {
		this.#child?.kill(signal);
		return this.#closed;
	}
}
