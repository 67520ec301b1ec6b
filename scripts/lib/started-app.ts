import { type ChildProcess, spawn } from "node:child_process";

/** A program that was started as a user would, and what it printed. */
export class StartedApp {
	readonly #child: ChildProcess;
	readonly #ended: Promise<void>;
	readonly #command: string;
	readonly #listeners = new Set<() => void>();
	#output = "";

	/** Runs a command line in a shell. */
	constructor(command: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
		this.#command = command;
		this.#child = spawn("bash", ["-c", command], {
			...options,
			// A group of its own: Ctrl-C in a terminal reaches npm, the shell and the app alike.
			detached: true,
			stdio: ["ignore", "pipe", "pipe"],
		});
		for (const stream of [this.#child.stdout, this.#child.stderr]) {
			stream?.on("data", (chunk: Buffer) => {
				this.#output += chunk.toString();
				for (const hear of this.#listeners) hear();
			});
		}
		this.#ended = new Promise((resolve) => this.#child.on("close", () => resolve()));
	}

	get output(): string {
		return this.#output;
	}

	/** The first match in what it prints. Rejects when it ends before that, or takes longer than `limitMs`. */
	async printed(pattern: RegExp, limitMs: number): Promise<RegExpExecArray> {
		const found = new Promise<RegExpExecArray>((resolve, reject) => {
			const hear = (): void => {
				const match = pattern.exec(this.#output);
				if (match === null) return;
				this.#listeners.delete(hear);
				resolve(match);
			};
			this.#listeners.add(hear);
			hear();
			void this.#ended.then(() =>
				reject(new Error(`${this.#command} ended early:\n${this.#output}`)),
			);
		});
		return this.#within(found, limitMs, "starting");
	}

	/** Does what Ctrl-C does, and waits for the end. Rejects when it takes longer than `limitMs`. */
	async interrupt(limitMs: number): Promise<void> {
		this.#kill("SIGINT");
		await this.#within(this.#ended, limitMs, "stopping");
	}

	/**
	 * Does what `docker stop` and systemd do, and waits for the end. Rejects when it takes longer than `limitMs`.
	 * @returns the exit code of a command line that is one program (`exec node …`); null when the signal ended it
	 */
	async terminate(limitMs: number): Promise<number | null> {
		this.#kill("SIGTERM");
		await this.#within(this.#ended, limitMs, "stopping");
		return this.#child.exitCode;
	}

	/** Kills the command alone, as `kill -9` does, and nothing of what it has started. */
	killAlone(): void {
		this.#child.kill("SIGKILL");
	}

	/** Waits until all that it started, too, has ended by itself. Rejects when that takes longer than `limitMs`. */
	ended(limitMs: number): Promise<void> {
		return this.#within(this.#ended, limitMs, "ending");
	}

	/** Ends it at once if it still runs. */
	async kill(): Promise<void> {
		this.#kill("SIGKILL");
		await this.#ended;
	}

	#kill(signal: NodeJS.Signals): void {
		const { pid } = this.#child;
		if (pid === undefined) throw new Error(`${this.#command} has no process`);
		try {
			process.kill(-pid, signal);
		} catch (error) {
			// All of the group have ended.
			if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
		}
	}

	#within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<never>((_, reject) => {
			timer = setTimeout(
				() => reject(new Error(`${what} took over ${limitMs} ms:\n${this.#output}`)),
				limitMs,
			);
		});
		return Promise.race([promise, late]).finally(() => clearTimeout(timer));
	}
}
