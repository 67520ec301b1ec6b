import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
	createEngine,
	createMemoryStore,
	type Engine,
	type ListeningServer,
} from "@rivetkit/engine";
import { programFile } from "../../../../../scripts/lib/test-programs.ts";
import { EmbeddedBackend } from "../../../src/backends/embedded/embedded-backend.ts";
import { type LogLine, recordingLogger } from "../test-runtime.ts";
import { linkToChild } from "./link.ts";
import { RemoteHost } from "./remote-host.ts";

/** An engine in this process, and its actors in another one that can be killed and replaced. */
export class SplitRuntime {
	readonly engine: Engine;
	readonly log: LogLine[] = [];
	readonly #file: string;
	readonly #actorName: string;
	readonly #backend: EmbeddedBackend;
	readonly #children = new Set<ChildProcess>();
	#server!: ListeningServer;
	#child: ChildProcess | null = null;

	/** @param file - what to run; it calls `runHost` */
	private constructor(file: URL, actorName: string) {
		this.#file = programFile(fileURLToPath(file));
		this.#actorName = actorName;
		const store = createMemoryStore();
		this.engine = createEngine({
			store,
			version: "0.0.0-test",
			logger: recordingLogger(this.log) as never,
			exposeErrors: () => true,
		});
		this.#backend = new EmbeddedBackend(store, (actorId, alarmTs) =>
			this.engine.alarmCommitted(actorId, alarmTs),
		);
	}

	static async start(file: URL, actorName: string): Promise<SplitRuntime> {
		const runtime = new SplitRuntime(file, actorName);
		runtime.#server = await runtime.engine.listen({ port: 0 });
		await runtime.startHost();
		return runtime;
	}

	get url(): string {
		return this.#server.url;
	}

	get hostPid(): number | undefined {
		return this.#child?.pid;
	}

	/** Starts a host; one that runs is replaced by it. */
	async startHost(): Promise<void> {
		const child = fork(this.#file, [], {
			execArgv: ["--conditions=@rivetkit/source", "--disable-warning=ExperimentalWarning"],
			serialization: "advanced",
			stdio: ["ignore", "inherit", "inherit", "ipc"],
		});
		this.#child = child;
		this.#children.add(child);
		child.once("exit", () => this.#children.delete(child));
		const host = new RemoteHost(linkToChild(child), this.#backend);
		await host.ready;
		host.attach(this.engine.attachHost(host, { actorNames: { [this.#actorName]: {} } }));
	}

	/** `kill -9`; resolves when the process is gone. */
	async killHost(): Promise<void> {
		const child = this.#child;
		this.#child = null;
		if (!child) return;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.engine.close();
		for (const child of this.#children) child.kill("SIGKILL");
	}
}
