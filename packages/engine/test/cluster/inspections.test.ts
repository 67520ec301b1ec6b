// Who looks at an actor through a node that does not run it sees it as it is where it runs.
import type {
	ActorRequest,
	ActorUpgrade,
	InspectedActor,
	InspectionTarget,
	PlainSocket,
	StartAgain,
} from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { Gate } from "../helpers/gate.ts";
import { type NodeUnderTest, startNode } from "./support/node.ts";

/** Two nodes; an actor that runs on the second one. Their hosts say who they are. */
async function pair() {
	const url = await emptiedDatabase();
	const nodes: NodeUnderTest[] = [];
	for (let index = 0; index < 2; index++) {
		const node = await startNode({ url, leaseMs: 10_000 });
		onTestFinished(() => node[Symbol.asyncDispose]());
		Object.assign(node.host, {
			inspect: async () => ({ status: 200, headers: {}, body: `${node.name} resting` }),
			inspectSocket: async (_: InspectionTarget, __: ActorUpgrade, socket: PlainSocket) => {
				socket.listen({
					onMessage: (message) => socket.send(`${node.name} heard ${message}`),
					onClose: () => {},
				});
			},
			follow: async ({ closing }: InspectionTarget) => ({
				status: 200,
				headers: {},
				body: new ReadableStream<Uint8Array>({
					start(controller) {
						controller.enqueue(new TextEncoder().encode(`${node.name} follows`));
						closing.addEventListener("abort", () => controller.close());
					},
				}),
			}),
		});
		nodes.push(node);
	}
	const [one, two] = nodes as [NodeUnderTest, NodeUnderTest];
	await expect.poll(() => nodes.map((node) => node.node.cluster.links.open)).toEqual([1, 1]);
	return { one, two, actorId: await two.create("a") };
}

function dashboard(node: NodeUnderTest, actorId: string) {
	const socket = new WebSocket(
		`${node.url.replace("http", "ws")}/gateway/${actorId}/inspector/connect`,
	);
	onTestFinished(() => socket.terminate());
	const heard: string[] = [];
	socket.on("message", (data) => heard.push(String(data)));
	const closed = new Promise<number>((resolve) => socket.on("close", resolve));
	const opened = new Promise((resolve) => socket.once("open", resolve));
	return { socket, heard, closed, opened };
}

it("an answer about an actor comes from the node that runs it, which need not be known for that", async () => {
	const { one, two, actorId } = await pair();
	expect(await one.get(actorId, "/inspector/state")).toBe(`200 ${two.name} GET /inspector/state`);
	await two.host.stop(actorId, "sleep");
	expect(await one.get(actorId, "/inspector/state")).toBe(`200 ${one.name} resting`);
});

it("where there are other nodes, the start that a change asks for may be on any of them", async () => {
	const { one, two, actorId } = await pair();
	await two.host.stop(actorId, "sleep");
	const inspect = async (_: InspectedActor, __: ActorRequest, again: StartAgain) => {
		await again.start();
		return { status: 200, headers: {}, body: again.place };
	};
	Object.assign(one.host, { inspect });
	expect(await one.get(actorId, "/inspector/state")).toBe("200 anywhere");
	expect(one.host.live.size + two.host.live.size).toBe(1);
});

it("a dashboard's socket reaches the node that runs the actor, and is to come again when it moves", async () => {
	const { one, two, actorId } = await pair();
	const { socket, heard, closed, opened } = dashboard(one, actorId);
	await opened;
	socket.send("hello");
	await expect.poll(() => heard).toEqual([`${two.name} heard hello`]);
	// It sleeps: whoever looks goes on looking.
	await two.host.stop(actorId, "sleep");
	socket.send("again");
	await expect.poll(() => heard.length).toBe(2);
	expect(await one.get(actorId)).toMatch(`200 ${one.name} `);
	expect(await closed).toBe(1001);
	const next = dashboard(one, actorId);
	await next.opened;
	next.socket.send("hello");
	await expect.poll(() => next.heard).toEqual([`${one.name} heard hello`]);
});

it("a stream of an actor comes from the node that runs it, and ends when that one goes", async () => {
	const { one, two, actorId } = await pair();
	const response = await fetch(`${one.url}/gateway/${actorId}/inspector/stream`);
	const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
	expect((await reader.read()).value).toBe(`${two.name} follows`);
	await two[Symbol.asyncDispose]();
	expect((await reader.read().catch(() => ({ done: true }))).done).toBe(true);
});

it("an actor that falls asleep is not woken again by who looks at it through another node", async () => {
	const { one, two, actorId } = await pair();
	// The other node knows where it is.
	expect(await one.get(actorId)).toMatch(`200 ${two.name} `);
	const stored = new Gate();
	onTestFinished(() => stored.open());
	two.host.onStop = () => stored.opened;
	const stopped = two.host.stop(actorId, "sleep");
	expect(await one.get(actorId, "/inspector/state")).toBe(`200 ${two.name} resting`);
	stored.open();
	await stopped;
	expect([one.host.starts.length, two.host.starts.length]).toEqual([0, 1]);
});
