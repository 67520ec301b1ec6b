import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";

it("the next incarnation begins though one that lost its lease has not got through its start", async () => {
	const gate = new Gate();
	let starts = 0;
	const subject = actor({
		createVars: async () => {
			if (++starts === 1) await gate.passed;
			return { start: starts };
		},
		actions: { which: (c) => c.vars.start },
	});
	await using runtime = await TestRuntime.start({ subject });
	const { store, embedded } = runtime;
	const creating = runtime.localClient().subject!.getOrCreate(["a"]).resolve();
	creating.catch(() => {});
	await eventually(() => expect(starts).toBe(1));
	const [actorId] = embedded.host.liveActorIds as [string];
	const record = (await store.acquire(actorId))!;
	embedded.host.abandon();
	const { generation, name, namespace, createTs, input, alarmTs, initialised } = record;
	const assignment = { actorId, generation, name, key: ["a"], namespace, region: "default" };
	await soon(
		embedded.host.start({ ...assignment, createTs, input, alarmTs, initialised }, []) ??
			Promise.resolve(),
	);
	expect(embedded.host.liveActorIds).toEqual([actorId]);
	gate.open();
	await expect(creating).rejects.toThrow();
	// The one before leaves the next alone.
	expect(embedded.host.liveActorIds).toEqual([actorId]);
	await embedded.host.stop(actorId, "sleep");
});
