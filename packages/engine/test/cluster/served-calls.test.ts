// What a node does for another one that asks.
import { type ActorHost, type ActorSocket, CLOSE_GOING_AWAY } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import type { LinkCall } from "../../src/cluster/link-messages.ts";
import { LinkSockets } from "../../src/cluster/link-sockets.ts";
import type { NodeLink } from "../../src/cluster/node-link.ts";
import { ServedCalls, type ServedCallsOptions } from "../../src/cluster/served-calls.ts";
import { engineLimits } from "../../src/common/limits.ts";
import { Placement } from "../../src/placement/placement.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { TestClock } from "../helpers/test-clock.ts";

it.each(["openSocket", "inspectSocket"] as const)(
	"%s: a socket that the actor does not take is nobody's: nothing of it is kept",
	async (what) => {
		const [sockets, inspectors] = [new LinkSockets(), new LinkSockets()];
		const heard: unknown[] = [];
		const openSocket: ActorHost["openSocket"] = async (_actorId, _upgrade, socket) =>
			refuse(socket);
		const inspectSocket = async (_actorId: string, _upgrade: unknown, socket: ActorSocket) =>
			refuse(socket);
		const refuse = (socket: ActorSocket) => {
			socket.listen({
				onMessage: (message) => heard.push(message),
				onClose: (code) => heard.push(code),
			});
			throw new Error("not taken");
		};
		const placement = { liveHere: () => ({ generation: 1, host: { openSocket } }) };
		const calls = new ServedCalls({
			sockets,
			inspectors,
			engine: () => ({ placement, inspectSocket }),
		} as unknown as ServedCallsOptions);
		const link = { deed() {} } as unknown as NodeLink;
		const call = {
			do: what,
			actorId: "a",
			generation: 1,
			path: "/",
			headers: [],
			protocols: [],
			socket: {
				key: 7,
				id: "",
				protocol: "",
				sentCount: 0,
				isInterrupted: false,
				canHibernate: false,
			},
		} as LinkCall;
		await expect(calls.serve(link, call, new AbortController().signal)).rejects.toThrow(
			"not taken",
		);
		for (const all of [sockets, inspectors]) {
			all.heard(link, 7, { message: "hello", index: 0 });
			all.heard(link, 7, { closed: [CLOSE_GOING_AWAY, "", true] });
			all.linkLost(link);
		}
		expect(heard).toEqual([]);
	},
);

it("ready for who wants no more than that it begins: answered when a start that is under way is over", async () => {
	const clock = new TestClock();
	const store = createMemoryStore();
	const noted = () => {};
	const placement = new Placement({
		store,
		clock,
		limits: engineLimits({}),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		region: "",
	});
	const host = new FakeHost(store);
	host.events = placement.attach({ host, hosts: () => true });
	const gate = new Gate();
	host.onStart = () => gate.opened;
	const actorId = "a";
	await store.insertActor({
		actorId,
		name: "counter",
		key: "/",
		namespace: "default",
		runnerNameSelector: "default",
		crashPolicy: "restart",
		datacenter: "",
		input: null,
		createTs: clock.now(),
	});
	const started = placement.ready(actorId, Number.POSITIVE_INFINITY, "id");
	await expect.poll(() => host.starts.length).toBe(1);
	const calls = new ServedCalls({
		clock,
		lease: { isHeld: true },
		peers: { isDraining: false },
		interested: { note() {} },
		engine: () => ({ placement }),
	} as unknown as ServedCallsOptions);
	const call: LinkCall = {
		do: "ready",
		actorId,
		waitMs: 50_000,
		isPatient: true,
		onlyBegins: true,
	};
	let answer: unknown;
	void calls.serve({} as NodeLink, call, new AbortController().signal).then((given) => {
		answer = given;
	});
	await clock.armed(50_000);
	gate.open();
	await started;
	await expect.poll(() => answer).toMatchObject({ is: "live", generation: 0 });
});
