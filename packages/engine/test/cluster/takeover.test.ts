// What becomes of a call whose node goes away with it.
import { HEADER_CALL_ID } from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { Relay } from "../../../../scripts/cluster/relay.ts";
import { emptiedDatabase, sql } from "../../../../tests/support/postgres.ts";
import { Gate } from "../helpers/gate.ts";
import { linkedPair } from "./support/linked-pair.ts";
import { startNode } from "./support/node.ts";

/** An actor of the second node, which is called through the first, and how often it was given a call. */
async function pair() {
	const { one, two, relay, linked, actorId } = await linkedPair();
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
	const isGiven = (count: number) => expect.poll(() => given.length).toBe(count);
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

it("an actor that is made while its node loses its lease runs where its row says", async () => {
	const url = await emptiedDatabase();
	const relay = await Relay.start();
	relay.targetPort = Number(new URL(url).port);
	const through = new URL(url);
	through.hostname = "127.0.0.1";
	through.port = String(relay.port);
	const node = await startNode({ url: through.href, leaseMs: 3_000 });
	onTestFinished(async () => {
		relay.mend();
		await node[Symbol.asyncDispose]();
		relay.close();
	});
	relay.cut();
	const creating = node.engine.resolve({
		kind: "create",
		name: "counter",
		key: ["a"],
		input: null,
		crashPolicy: "sleep",
	});
	await expect.poll(() => node.node.notReady).toContain("lease");
	relay.mend();
	const { actorId } = (await creating).actor;
	expect(node.host.live.has(actorId)).toBe(true);
	const owners = await sql<{ isAlive: boolean }>(
		url,
		'SELECT lease_until > clock_timestamp() AS "isAlive" FROM rivetkit.actors AS a ' +
			"LEFT JOIN rivetkit.nodes AS n ON n.epoch = a.owner WHERE a.id = $1",
		[actorId],
	);
	expect(owners).toEqual([{ isAlive: true }]);
});
