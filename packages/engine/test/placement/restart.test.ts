// An actor that is ended to have another incarnation at once.
import { expect, it } from "vitest";
import { engineLimits } from "../../src/common/limits.ts";
import type { Elsewhere } from "../../src/placement/elsewhere.ts";
import { Placement } from "../../src/placement/placement.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { TestClock } from "../helpers/test-clock.ts";

/** One of several nodes, that starts here whatever it is asked for; with an actor `a` that is to run. */
async function node() {
	const clock = new TestClock();
	const store = createMemoryStore();
	const noted = () => {};
	const looks = { count: 0 };
	const placement = new Placement({
		store,
		clock,
		limits: engineLimits({}),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		region: "",
		left: () => void looks.count++,
		elsewhere: {
			isServing: true,
			serving: async () => {},
			route: async () => ({ kind: "here", acquired: undefined }),
			ended: () => {},
		} as Partial<Elsewhere> as Elsewhere,
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
	const run = () => placement.ready("a", Number.POSITIVE_INFINITY, "id");
	return { store, host, placement, looks, run };
}

it("goes on also when it was just starting: what it is to do is known only then", async () => {
	const t = await node();
	const gate = new Gate();
	const acquire = t.store.acquire.bind(t.store);
	t.store.acquire = async (actorId) => {
		await gate.opened;
		return acquire(actorId);
	};
	const running = t.run();
	await expect.poll(() => t.placement.phase("a")).toBe("starting");
	const restarted = t.placement.restart("a");
	gate.open();
	await running;
	await restarted;
	expect(t.host.starts.map(({ generation }) => generation)).toEqual([0, 1]);
	expect(t.placement.phase("a")).toBe("live");
});

it("is looked for, like what other nodes have left, when it cannot be started again", async () => {
	const t = await node();
	await t.run();
	t.host.onStart = () => {
		throw new Error("not now");
	};
	await expect(t.placement.restart("a")).rejects.toThrow("not now");
	expect(t.looks.count).toBe(1);
});
