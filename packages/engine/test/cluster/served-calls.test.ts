// What a node does for another one that asks.
import {
	type ActorHost,
	type ActorSocket,
	CLOSE_GOING_AWAY,
	catalogueError,
} from "@rivetkit/protocol";
import { expect, it } from "vitest";
import type { LinkCall } from "../../src/cluster/link-messages.ts";
import { LinkSockets } from "../../src/cluster/link-sockets.ts";
import type { NodeLink } from "../../src/cluster/node-link.ts";
import { ServedCalls, type ServedCallsOptions } from "../../src/cluster/served-calls.ts";
import { engineLimits } from "../../src/common/limits.ts";
import type { Elsewhere, Route } from "../../src/placement/elsewhere.ts";
import type { Incarnation } from "../../src/placement/incarnation.ts";
import { Placement, type PlacementOptions } from "../../src/placement/placement.ts";
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

/** Placement of one node on a store of its own, with an actor `a`. */
async function node(options: Partial<PlacementOptions> = {}) {
	const clock = new TestClock();
	const store = createMemoryStore();
	const noted = () => {};
	const placement = new Placement({
		store,
		clock,
		limits: engineLimits({ wakesWaitingMax: 1 }),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		region: "",
		...options,
	});
	const host = new FakeHost(store);
	host.events = placement.attach({ host, hosts: () => true });
	await store.insertActor({
		actorId: "a",
		name: "counter",
		key: "/",
		namespace: "default",
		runnerNameSelector: "default",
		crashPolicy: "restart",
		datacenter: "",
		input: null,
		createTs: clock.now(),
	});
	const calls = new ServedCalls({
		clock,
		lease: { isHeld: true },
		peers: { isDraining: false },
		interested: { note() {} },
		acquisitions: { acquireBy: async () => store.acquire("a") },
		engine: () => ({ placement }),
	} as unknown as ServedCallsOptions);
	const begin = () => {
		const call: LinkCall = { ...BEGINS, actorId: "a" };
		return calls.serve({} as NodeLink, call, new AbortController().signal);
	};
	return { clock, host, placement, begin };
}

const BEGINS = { do: "ready", waitMs: 50_000, isPatient: true, onlyBegins: true } as const;

it("ready for who wants no more than that it begins: answered when a start that is under way is over", async () => {
	const t = await node();
	const gate = new Gate();
	t.host.onStart = () => gate.opened;
	const started = t.placement.ready("a", Number.POSITIVE_INFINITY, "id");
	await expect.poll(() => t.host.starts.length).toBe(1);
	let answer: unknown;
	void t.begin().then((given) => {
		answer = given;
	});
	await t.clock.armed(BEGINS.waitMs);
	gate.open();
	await started;
	await expect.poll(() => answer).toMatchObject({ is: "live", generation: 0 });
});

it("ready tells that as many of the actor's pool wait for room as may, so that no more are sent", async () => {
	const t = await node();
	const gate = new Gate();
	t.host.onStart = ({ actorId, generation }) => {
		t.host.events.waits?.(actorId, generation);
		return gate.opened;
	};
	expect(await t.begin()).toEqual({ is: "waiting", isCrowded: true });
	// Of one that waits already, too.
	expect(await t.begin()).toEqual({ is: "waiting", isCrowded: true });
	gate.open();
});

it("a node that wakes an actor hears whether it waits where too many do already", async () => {
	let isCrowded = false;
	const t = await node({
		elsewhere: {
			serving: async () => {},
			route: async () => ({ kind: "waiting", isCrowded }),
		} as Partial<Elsewhere> as Elsewhere,
	});
	expect(await t.placement.wake("a", Number.POSITIVE_INFINITY)).toBe("waiting");
	isCrowded = true;
	expect(await t.placement.wake("a", Number.POSITIVE_INFINITY)).toBe("crowded");
});

it("who joins the look for an actor late has its own time: it goes on when that of the first is over", async () => {
	const looks: { readonly deadlineTs: number; readonly route: Gate<Route> }[] = [];
	const t = await node({
		elsewhere: {
			serving: async () => {},
			route: (_actorId, deadlineTs) => {
				const route = new Gate<Route>();
				looks.push({ deadlineTs, route });
				return route.opened;
			},
		} as Partial<Elsewhere> as Elsewhere,
	});
	const late = () => catalogueError("guard.actor_ready_timeout", { actor_id: "a" });
	const began = t.clock.now();
	const ready = (ms: number) => t.placement.ready("a", began + ms, "key");
	const first = ready(1_000);
	const others = [ready(2_000), ready(3_000), t.placement.wake("a", began + 4_000)];
	const refused = Promise.allSettled([first, ready(1_000)]);
	await expect.poll(() => looks.length).toBe(1);
	t.clock.advance(1_000);
	looks[0]!.route.fail(late());
	const timeout = { status: "rejected", reason: { code: "actor_ready_timeout" } };
	expect(await refused).toMatchObject([timeout, timeout]);
	await expect.poll(() => looks.length).toBe(2);
	const incarnation = { actorId: "a" } as Partial<Incarnation> as Incarnation;
	looks[1]!.route.open({ kind: "remote", incarnation });
	expect(await Promise.all(others)).toEqual([incarnation, incarnation, "live"]);
	expect(looks.map(({ deadlineTs }) => deadlineTs - began)).toEqual([1_000, 2_000]);
});

it("who joins the look for an actor fails with it for any other reason", async () => {
	const route = new Gate<Route>();
	const t = await node({
		elsewhere: {
			serving: async () => {},
			route: () => route.opened,
		} as Partial<Elsewhere> as Elsewhere,
	});
	const all = [1, 2].map(() => t.placement.ready("a", Number.POSITIVE_INFINITY, "key"));
	route.fail(catalogueError("guard.service_unavailable"));
	const refused = { status: "rejected", reason: { code: "service_unavailable" } };
	expect(await Promise.allSettled(all)).toMatchObject([refused, refused]);
});
