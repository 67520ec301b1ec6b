import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { eventually } from "./eventually.ts";

const BINARY = "@rivetkit/engine-cli-linux-x64-musl";

/** The platform whose binary the repository brings. */
export const hasStockEngine = process.platform === "linux" && process.arch === "x64";

const TOKEN = "stock-token";
const START_MS = 90_000;

/** The published engine binary on loopback, with data of its own (contract: engine 0.3). */
export class StockEngine {
	readonly endpoint: string;
	readonly namespace = "lab";
	readonly token = TOKEN;
	readonly #directory: string;
	readonly #environment: Readonly<Record<string, string>>;
	#process: ChildProcess | null = null;

	private constructor(directory: string, [guard, peer, metrics]: readonly number[]) {
		this.#directory = directory;
		this.endpoint = `http://127.0.0.1:${guard}`;
		this.#environment = {
			RIVET__AUTH__ADMIN_TOKEN: TOKEN,
			RIVET__FILE_SYSTEM__PATH: join(directory, "data"),
			RIVET__GUARD__HOST: "127.0.0.1",
			RIVET__GUARD__PORT: String(guard),
			RIVET__API_PEER__HOST: "127.0.0.1",
			RIVET__API_PEER__PORT: String(peer),
			RIVET__METRICS__HOST: "127.0.0.1",
			RIVET__METRICS__PORT: String(metrics),
			RIVET__TELEMETRY__ENABLED: "false",
			// It puts work off while the machine is busy with anything: tests are.
			RIVET__RUNTIME__WORKER_CPU_MAX: "1000000",
			RIVET__RUNTIME__GUARD_SHUTDOWN_DURATION: "1",
			RIVET__RUNTIME__WORKER_SHUTDOWN_DURATION: "3",
			RIVET__RUNTIME__FORCE_SHUTDOWN_DURATION: "6",
			// Where hosts of serverless starts dial back.
			RIVET__TOPOLOGY__DATACENTER_LABEL: "1",
			RIVET__TOPOLOGY__DATACENTERS__DEFAULT__DATACENTER_LABEL: "1",
			RIVET__TOPOLOGY__DATACENTERS__DEFAULT__IS_LEADER: "true",
			RIVET__TOPOLOGY__DATACENTERS__DEFAULT__PUBLIC_URL: `http://127.0.0.1:${guard}`,
			RIVET__TOPOLOGY__DATACENTERS__DEFAULT__PEER_URL: `http://127.0.0.1:${peer}`,
		};
	}

	/** Started, with a namespace and a pool `default` in it. */
	static async start(): Promise<StockEngine> {
		const directory = await mkdtemp(join(tmpdir(), "stock-engine-"));
		const ports = await Promise.all([freePort(), freePort(), freePort()]);
		const engine = new StockEngine(directory, ports);
		await engine.up();
		await engine.api("POST", "/namespaces", { name: engine.namespace, display_name: "Lab" });
		await engine.configurePool("default", { normal: {} });
		return engine;
	}

	async up(): Promise<void> {
		this.#process = spawn(enginePath(), ["start"], {
			env: { PATH: process.env.PATH, HOME: this.#directory, ...this.#environment },
			stdio: "ignore",
		});
		await eventually(async () => {
			if (this.#process?.exitCode !== null) throw new Error("the engine has ended");
			const response = await fetch(`${this.endpoint}/health`);
			if (!response.ok) throw new Error(`/health answers ${response.status}`);
		}, START_MS);
	}

	async down(signal: NodeJS.Signals): Promise<void> {
		const child = this.#process;
		this.#process = null;
		if (!child || child.exitCode !== null) return;
		child.kill(signal);
		await once(child, "exit");
	}

	async stop(): Promise<void> {
		await this.down("SIGKILL");
		await rm(this.#directory, { recursive: true, force: true });
	}

	configurePool(name: string, config: object): Promise<unknown> {
		return this.api("PUT", `/runner-configs/${name}?namespace=${this.namespace}`, {
			datacenters: { default: config },
		});
	}

	async api(method: string, path: string, body?: object): Promise<unknown> {
		const response = await fetch(this.endpoint + path, {
			method,
			headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
			...(body && { body: JSON.stringify(body) }),
		});
		const answer: unknown = await response.json();
		if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
		return answer;
	}
}

function enginePath(): string {
	const manifest = createRequire(import.meta.url).resolve(`${BINARY}/package.json`);
	return join(dirname(manifest), "rivet-engine");
}
