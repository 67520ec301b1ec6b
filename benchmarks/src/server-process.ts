import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FromServerProcess, ServerStats, ToServerProcess } from "./servers/child.ts";
import type { LoopProfile } from "./servers/profiler.ts";
import type { Subject } from "./subjects.ts";

const START_MS_MAX = 120_000;
const STOP_MS_MAX = 10_000;

/** One server in a process of its own, on a storage folder of its own. */
export class ServerProcess {
	readonly subject: Subject;
	readonly port: number;
	readonly #child: ChildProcess;
	readonly #storage: string;

	private constructor(subject: Subject, port: number, child: ChildProcess, storage: string) {
		this.subject = subject;
		this.port = port;
		this.#child = child;
		this.#storage = storage;
	}

	/** `folder` should be on a real disk: half of the servers sync to it. */
	static start(subject: Subject, folder: string): Promise<ServerProcess> {
		const storage = mkdtempSync(join(folder, `${subject.name}-`));
		const { NODE_OPTIONS: _, ...environment } = process.env;
		const child = fork(fileURLToPath(new URL(subject.module, import.meta.url)), {
			execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
			stdio: ["ignore", "ignore", "pipe", "ipc"],
			env: { ...environment, BENCH_STORAGE: storage, RIVETKIT_STORAGE_PATH: storage },
		});
		let complaint = "";
		const hear = (chunk: Buffer): void => {
			complaint += chunk.toString();
		};
		child.stderr?.on("data", hear);
		return new Promise((resolve, reject) => {
			const late = setTimeout(() => fail(new Error("did not start in time")), START_MS_MAX);
			const fail = (error: Error): void => {
				clearTimeout(late);
				child.kill("SIGKILL");
				rmSync(storage, { recursive: true, force: true });
				reject(new Error(`${subject.title}: ${error.message}\n${complaint}`.trim()));
			};
			child.once("error", fail);
			child.once("close", (code, signal) =>
				fail(new Error(`ended with ${signal ?? code} at its start`)),
			);
			child.once("message", (message: FromServerProcess) => {
				if (message.type !== "ready")
					return fail(new Error(`said ${message.type} before it was ready`));
				clearTimeout(late);
				child.removeAllListeners();
				child.stderr?.off("data", hear).pipe(process.stderr, { end: false });
				resolve(new ServerProcess(subject, message.port, child, storage));
			});
		});
	}

	async stats(): Promise<ServerStats> {
		return (await this.#ask("stats", "stats")).stats;
	}

	/** Collects garbage first. Takes a few seconds. */
	async statsAfterCollection(): Promise<ServerStats> {
		return (await this.#ask("collect", "stats")).stats;
	}

	/** What the event loop's thread does while `work` goes on. */
	async profile(work: () => Promise<unknown>): Promise<LoopProfile> {
		await this.#ask("profile", "stats");
		await work();
		return (await this.#ask("profiled", "profiled")).profile;
	}

	async stop(): Promise<void> {
		const { exitCode, signalCode } = this.#child;
		if (exitCode === null && signalCode === null) {
			const exited = new Promise((resolve) => this.#child.once("exit", resolve));
			const late = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
			this.#child.disconnect();
			await exited;
			clearTimeout(late);
		}
		rmSync(this.#storage, { recursive: true, force: true });
	}

	#ask<Type extends FromServerProcess["type"]>(
		question: ToServerProcess["type"],
		expected: Type,
	): Promise<Extract<FromServerProcess, { type: Type }>> {
		return new Promise((resolve, reject) => {
			const onExit = (): void =>
				reject(new Error(`${this.subject.title} ended in the middle of a benchmark`));
			this.#child.once("exit", onExit);
			this.#child.once("message", (message: FromServerProcess) => {
				this.#child.off("exit", onExit);
				if (message.type === expected) {
					resolve(message as Extract<FromServerProcess, { type: Type }>);
				} else reject(new Error(`${this.subject.title} said ${message.type}`));
			});
			this.#child.send({ type: question } satisfies ToServerProcess);
		});
	}
}
