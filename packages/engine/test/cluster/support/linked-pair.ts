import { expect, onTestFinished } from "vitest";
import { Relay } from "../../../../../scripts/cluster/relay.ts";
import { freePort } from "../../../../../scripts/lib/free-port.ts";
import { emptiedDatabase } from "../../../../../tests/support/postgres.ts";
import { startNode } from "./node.ts";

/** Two nodes with a link that can be cut, and an actor that runs on the second. They stop with the test. */
export async function linkedPair() {
	const url = await emptiedDatabase();
	const relay = await Relay.start();
	relay.targetPort = await freePort();
	const at = { port: relay.targetPort, address: `127.0.0.1:${relay.port}` };
	const one = await startNode({ url, node: at, leaseMs: 10_000 });
	const two = await startNode({ url, leaseMs: 10_000 });
	onTestFinished(async () => {
		relay.close();
		await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
	});
	/** How many links each of them has. */
	const open = () => [one, two].map(({ node }) => node.cluster.links.open);
	const linked = (count: number) => expect.poll(open).toEqual([count, count]);
	await linked(1);
	return { one, two, relay, open, linked, actorId: await two.create("a") };
}
