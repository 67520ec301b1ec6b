// An actor that was acquired under a lease which its node has lost before the actor began.
import { expect, it } from "vitest";
import { engineLimits } from "../../src/common/limits.ts";
import type { Elsewhere } from "../../src/placement/elsewhere.ts";
import type { Incarnation } from "../../src/placement/incarnation.ts";
import { Placement } from "../../src/placement/placement.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { acquiredActor } from "../store/fixtures.ts";

/** A node that waits for its lease, and an actor that it acquired under its lease of number 1. */
async function node() {
	const clock = new TestClock();
	const store = createMemoryStore();
	const noted = () => {};
	const there = { actorId: "there" } as Partial<Incarnation> as Incarnation;
	const lease = { epoch: 1, held: new Gate() };
	const elsewhere: Partial<Elsewhere> = {
		isServing: true,
		serving: () => lease.held.opened,
		holds: ({ acquiredUnder }) => acquiredUnder === lease.epoch,
		route: async () => ({ kind: "remote", incarnation: there }),
	};
	const placement = new Placement({
		store,
		clock,
		limits: engineLimits({}),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		region: "",
		elsewhere: elsewhere as Elsewhere,
	});
	const host = new FakeHost(store);
	host.events = placement.attach({ host, hosts: () => true });
	const { actorId } = await acquiredActor(store);
	const acquired = { ...(await store.actorById(actorId))!, acquiredUnder: 1 };
	const ready = placement.ready(actorId, Number.POSITIVE_INFINITY, "key", acquired);
	return { host, lease, ready, there, actorId };
}

it("is looked for again under the next lease: another node may have it", async () => {
	const t = await node();
	t.lease.epoch = 2;
	t.lease.held.open();
	expect(await t.ready).toBe(t.there);
	expect(t.host.starts).toEqual([]);
});

it("begins with what was acquired while it is the same lease", async () => {
	const t = await node();
	t.lease.held.open();
	expect(await t.ready).toMatchObject({ actorId: t.actorId, generation: 0 });
	expect(t.host.starts).toHaveLength(1);
});
