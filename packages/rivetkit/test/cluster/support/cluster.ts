import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../../../scripts/lib/free-port.ts";
import { programFile } from "../../../../../scripts/lib/test-programs.ts";
import { type Client, createClient } from "../../../src/client/index.ts";

/** What a node runs, within a checkout of this repository. */
const PROGRAM = "packages/rivetkit/test/cluster/node-process.ts";
const HERE = fileURLToPath(new URL("../../../../../", import.meta.url));

export interface NodeSettings {
	readonly leaseMs: number;
	/** Added to the environment. */
	readonly env?: Readonly<Record<string, string>>;
}

/** One node: a process that can be killed, stopped, drained and started again on its port. */
export class TestNode {
	readonly name: string;
	readonly port: number;
	output = "";
	/** The checkout whose code it runs from its next start on. Default: this one. */
	checkout = HERE;
	#child: ChildProcess | undefined;
	readonly #database: string;
	readonly #settings: NodeSettings;
	readonly #clients = new Set<Client>();

	constructor(name: string, port: number, database: string, settings: NodeSettings) {
		this.name = name;
		this.port = port;
		this.#database = database;
		this.#settings = settings;
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	get isRunning(): boolean {
		return this.#child !== undefined;
	}

	/** From its next start on it runs the code of this checkout. */
	upgrade(): void {
		this.checkout = HERE;
	}

	/** Resolves when it listens. */
	async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
		const child = spawn(
			process.execPath,
			[
				"--conditions=@rivetkit/source",
				"--disable-warning=ExperimentalWarning",
				this.checkout === HERE ? programFile(join(HERE, PROGRAM)) : join(this.checkout, PROGRAM),
			],
			{
				cwd: this.checkout,
				stdio: ["ignore", "pipe", "pipe"],
				env: {
					...process.env,
					NODE_ENV: "production",
					RIVET_LOG_LEVEL: "warn",
					PORT: String(this.port),
					RIVET__DATABASE__POSTGRES__URL: this.#database,
					RIVET__NODE__NAME: this.name,
					RIVET__NODE__LEASE_MS: String(this.#settings.leaseMs),
					...this.#settings.env,
					...env,
				},
			},
		);
		this.#child = child;
		child.once("exit", () => {
			if (this.#child === child) this.#child = undefined;
		});
		await new Promise<void>((resolve, reject) => {
			let heard = "";
			const hear = (chunk: Buffer) => {
				heard += chunk.toString();
				this.output = (this.output + chunk.toString()).slice(-100_000);
				if (/^listening /m.test(heard)) resolve();
			};
			child.stdout.on("data", hear);
			child.stderr.on("data", hear);
			child.once("close", (code, signal) =>
				reject(new Error(`node ${this.name} ended (${code ?? signal}):\n${this.output}`)),
			);
		});
	}

	signal(signal: NodeJS.Signals): void {
		this.#child?.kill(signal);
	}

	/** Ends the process; resolves when it is gone. */
	async end(signal: NodeJS.Signals): Promise<void> {
		const child = this.#child;
		if (child === undefined) return;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill(signal);
		await gone;
	}

	client(): Client {
		const client = createClient({ endpoint: this.url });
		this.#clients.add(client);
		return client;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all([...this.#clients].map((client) => client.dispose()));
		await this.end("SIGKILL");
	}
}

/** Several nodes on one database. */
export class TestCluster {
	readonly nodes: readonly TestNode[];

	private constructor(nodes: readonly TestNode[]) {
		this.nodes = nodes;
	}

	static async start(
		database: string,
		count: number,
		settings: NodeSettings,
		env: readonly Readonly<Record<string, string>>[] = [],
		/** Of each node; see {@link TestNode.checkout}. */
		checkouts: readonly (string | undefined)[] = [],
	): Promise<TestCluster> {
		const nodes: TestNode[] = [];
		for (let index = 0; index < count; index++) {
			nodes.push(new TestNode(`node-${index + 1}`, await freePort(), database, settings));
		}
		const cluster = new TestCluster(nodes);
		try {
			for (const [index, node] of nodes.entries()) node.checkout = checkouts[index] ?? HERE;
			// Nodes of an older version come first: they refuse tables that a newer one has migrated.
			const startAll = (are: boolean) =>
				Promise.all(
					nodes.map((node, index) =>
						(node.checkout !== HERE) === are ? node.start(env[index]) : undefined,
					),
				);
			await startAll(true);
			await startAll(false);
		} catch (error) {
			await cluster[Symbol.asyncDispose]();
			throw error;
		}
		return cluster;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
	}
}
