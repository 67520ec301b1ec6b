// What becomes of a call whose node goes away with it.
import { HEADER_CALL_ID } from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { Relay } from "../../../../scripts/cluster/relay.ts";
import { freePort } from "../../../../scripts/lib/postgres-server.ts";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { Gate } from "../helpers/gate.ts";
import { startNode } from "./support/node.ts";

/** An actor of the second node, which is called through the first, and how often it was given a call. */
async function pair() {
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
	const linked = (count: number) =>
		expect
			.poll(() => [one, two].map(({ node }) => node.cluster.links.open), { timeout: 10_000 })
			.toEqual([count, count]);
	await linked(1);
	const actorId = await two.create("a");
	const answers: Gate[] = [];
	const given: string[] = [];
	two.host.onRequest = async ({ method }) => {
		given.push(method);
		const answer = new Gate();
		answers.push(answer);
		await answer.opened;
		return { status: 200, headers: {}, body: `answer ${answers.indexOf(answer) + 1}` };
	};
	onTestFinished(() => {
		for (const answer of answers) answer.open();
	});
	const call = async (method: string, headers: Record<string, string> = {}) => {
		const response = await fetch(`${one.url}/gateway/${actorId}/request/x`, { method, headers });
		return { status: response.status, body: await response.text() };
	};
	const isGiven = (count: number) =>
		expect.poll(() => given.length, { timeout: 10_000 }).toBe(count);
	return { relay, linked, call, isGiven, answers, given };
}

it("with an id is given to whoever has the actor next, and answered", async () => {
	const { relay, linked, call, isGiven, answers } = await pair();
	const calling = call("POST", { [HEADER_CALL_ID]: crypto.randomUUID() });
	await isGiven(1);
	relay.cut();
	await linked(0);
	relay.mend();
	await isGiven(2);
	answers[1]!.open();
	expect(await calling).toEqual({ status: 200, body: "answer 2" });
});

it("with an id is given away once: a second loss is told", async () => {
	const { relay, linked, call, isGiven, given } = await pair();
	const calling = call("POST", { [HEADER_CALL_ID]: crypto.randomUUID() });
	for (const count of [1, 2]) {
		await isGiven(count);
		relay.cut();
		await linked(0);
		relay.mend();
	}
	expect(await calling).toEqual({
		status: 503,
		body: expect.stringContaining("tunnel_response_closed"),
	});
	expect(given).toHaveLength(2);
});

it("without an id fails with a code, and is not run again", async () => {
	const { relay, linked, call, isGiven, given, answers } = await pair();
	const calling = call("POST");
	await isGiven(1);
	relay.cut();
	expect(await calling).toEqual({
		status: 503,
		body: expect.stringContaining("tunnel_response_closed"),
	});
	relay.mend();
	await linked(1);
	// What only reads is asked again without an id.
	const reading = call("GET");
	await isGiven(2);
	relay.cut();
	await linked(0);
	relay.mend();
	await isGiven(3);
	answers[2]!.open();
	expect(await reading).toEqual({ status: 200, body: "answer 3" });
	expect(given).toEqual(["POST", "GET", "GET"]);
});
