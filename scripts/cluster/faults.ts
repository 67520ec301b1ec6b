import type { TestNode } from "../../packages/rivetkit/test/cluster/support/cluster.ts";
import type { PostgresServer } from "../lib/postgres-server.ts";
import type { Relay } from "./relay.ts";

export interface Scene {
	readonly nodes: readonly TestNode[];
	/** On the way to each node. */
	readonly relays: readonly Relay[];
	readonly postgres: PostgresServer;
	readonly leaseMs: number;
	readonly random: () => number;
	/** Starts a node behind its relay. */
	start(node: number, env?: Readonly<Record<string, string>>): Promise<void>;
}

export interface Fault {
	readonly name: string;
	/** What it resolves with, if that is a text, is a measured figure. */
	run(scene: Scene): Promise<unknown>;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const oneOf = ({ nodes, random }: Scene) => Math.floor(random() * nodes.length);

/** Everything that the cluster has to live through; each leaves it as it was. */
export const FAULTS: readonly Fault[] = [
	{
		name: "kill -9 of a node",
		async run(scene) {
			const node = oneOf(scene);
			await scene.nodes[node]!.end("SIGKILL");
			await wait(scene.leaseMs * scene.random());
			await scene.start(node);
		},
	},
	{
		name: "a node is stopped for longer than its lease, and goes on",
		async run(scene) {
			const node = scene.nodes[oneOf(scene)]!;
			node.signal("SIGSTOP");
			await wait(scene.leaseMs * (1.3 + scene.random()));
			node.signal("SIGCONT");
		},
	},
	{
		name: "a node is stopped for less than its lease",
		async run(scene) {
			const node = scene.nodes[oneOf(scene)]!;
			node.signal("SIGSTOP");
			await wait(scene.leaseMs * 0.4);
			node.signal("SIGCONT");
		},
	},
	{
		name: "all links between nodes are cut, and cannot be made again for a while",
		async run({ relays, leaseMs }) {
			for (const relay of relays) relay.cut();
			await wait(leaseMs * 0.7);
			for (const relay of relays) relay.mend();
		},
	},
	{
		name: "PostgreSQL is restarted",
		async run({ postgres }) {
			await postgres.restart();
		},
	},
	{
		name: "PostgreSQL crashes, and is away for longer than the leases",
		async run({ postgres, leaseMs }) {
			await postgres.stop("crash");
			await wait(leaseMs * 1.2);
			await postgres.restart();
		},
	},
	{
		name: "a node's clock is a minute ahead",
		async run(scene) {
			const node = oneOf(scene);
			await scene.nodes[node]!.end("SIGKILL");
			await scene.start(node, { CLOCK_SKEW_MS: "60000" });
		},
	},
	{
		name: "a node's clock is a minute behind",
		async run(scene) {
			const node = oneOf(scene);
			await scene.nodes[node]!.end("SIGKILL");
			await scene.start(node, { CLOCK_SKEW_MS: "-60000" });
		},
	},
	{
		name: "a rolling upgrade: each node is drained and replaced in turn",
		async run(scene) {
			const drains: string[] = [];
			for (const node of scene.nodes.keys()) {
				const from = performance.now();
				await scene.nodes[node]!.end("SIGTERM");
				drains.push(`${((performance.now() - from) / 1000).toFixed(1)} s`);
				await scene.start(node);
			}
			return `drained in ${drains.join(", ")}`;
		},
	},
];
