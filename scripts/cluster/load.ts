import { createClient } from "../../packages/rivetkit/src/client/index.ts";
import type { TestNode } from "../../packages/rivetkit/test/cluster/support/cluster.ts";
import type { Operation, Watch } from "./history.ts";

/** Pause between two operations of a worker (ms): moderate, so that it can run beside other things. */
const PAUSE_MS = 25;
const ALARM_DELAY_MS = 1_500;

export interface Ledger {
	add(id: string): Promise<number>;
	arm(id: string, delayMs: number): Promise<void>;
	nap(): Promise<void>;
	read(): Promise<{ total: number; twice: string[] }>;
	keys(): Promise<string[]>;
	rang(): Promise<[key: string, at: string][]>;
	send(queue: "orders", message: { id: string }): Promise<unknown>;
}

interface Connection extends Ledger {
	on(event: "tick", listener: (event: { tick: number }) => void): () => void;
	onResync(listener: () => void): () => void;
}

type Clients = readonly ReturnType<typeof createClient>[];

/** Calls, messages, alarms and sockets of many clients, for as long as it runs. */
export class Load {
	readonly operations: Operation[] = [];
	readonly watches: Watch[] = [];
	/** Acknowledged by each node, to see that it gets on. */
	readonly progress: number[];
	readonly #clients: Clients;
	readonly #actors: readonly string[];
	readonly #random: () => number;
	readonly #workers: Promise<void>[] = [];
	#isOver = false;

	constructor(nodes: readonly TestNode[], actors: readonly string[], random: () => number) {
		this.#clients = nodes.map(({ url }) => createClient({ endpoint: url }));
		this.#actors = actors;
		this.#random = random;
		this.progress = nodes.map(() => 0);
	}

	handle(node: number, actor: string): Ledger {
		return this.#clients[node]!.ledger!.getOrCreate([actor]) as unknown as Ledger;
	}

	start(workersPerNode: number, socketsPerNode: number): void {
		for (const node of this.#clients.keys()) {
			for (let index = 0; index < workersPerNode; index++) {
				this.#workers.push(this.#work(node, `${node}.${index}`));
			}
			for (let index = 0; index < socketsPerNode; index++) this.#watch(node);
		}
	}

	/** Resolves when every operation has an outcome. */
	async stop(): Promise<void> {
		this.#isOver = true;
		await Promise.all(this.#workers);
	}

	async close(): Promise<void> {
		await Promise.all(this.#clients.map((client) => client.dispose()));
	}

	#pick<T>(among: readonly T[]): T {
		return among[Math.floor(this.#random() * among.length)]!;
	}

	#watch(node: number): void {
		const actor = this.#pick(this.#actors);
		const watch: Watch = { actor, seen: [] };
		this.watches.push(watch);
		const handle = this.#clients[node]!.ledger!.getOrCreate([actor]);
		const connection = handle.connect() as unknown as Connection;
		connection.on("tick", ({ tick }) => watch.seen.push(tick));
		connection.onResync(() => watch.seen.push("resync"));
	}

	async #work(node: number, name: string): Promise<void> {
		for (let turn = 0; !this.#isOver; turn++) {
			const actor = this.#pick(this.#actors);
			const kind = this.#pick(["add", "add", "add", "order", "order", "alarm"] as const);
			const notBefore = kind === "alarm" ? Date.now() + ALARM_DELAY_MS : 0;
			const operation: Operation = {
				id: `${name}.${turn}`,
				actor,
				kind,
				notBefore,
				outcome: "open",
			};
			this.operations.push(operation);
			try {
				await this.#do(operation, this.handle(node, actor));
				operation.outcome = "acknowledged";
				this.progress[node]!++;
			} catch {
				operation.outcome = "unknown";
			}
			if (turn % 40 === 39)
				await this.handle(node, actor)
					.nap()
					.catch(() => {});
			await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (0.5 + this.#random())));
		}
	}

	async #do({ id, kind }: Operation, ledger: Ledger): Promise<void> {
		switch (kind) {
			case "add":
				await ledger.add(id);
				return;
			case "order":
				await ledger.send("orders", { id });
				return;
			case "alarm":
				await ledger.arm(id, ALARM_DELAY_MS);
		}
	}
}
