import { expect, it } from "vitest";
import { until } from "../helpers/until.ts";
import { RUNS, replacing, runnersHost } from "./runners-host.fixture.ts";

/** How long a start waits for a slot (engine 6.3). */

const SLOT_WAIT_MS = 60_000;

it("one that somebody waits for gives up in time; what is to run sleeps then, also for the next engine", async () => {
	const t = runnersHost({ slotWaitMs: SLOT_WAIT_MS });
	const assignment = await t.actor("a", "restart");
	const started = t.host.start(assignment, []);
	const late = expect(started).rejects.toMatchObject({ code: "actor_ready_timeout" });
	await t.clock.armed(SLOT_WAIT_MS);
	expect(t.waiting).toEqual(["a"]);
	t.clock.advance(SLOT_WAIT_MS);
	await late;
	expect(await t.store.actorById("a")).toMatchObject({ sleepTs: t.clock.now() });
});

it("one that gives up has not failed, though the store does not take that it sleeps", async () => {
	const commit = () => Promise.reject(new Error("the store is away"));
	const t = runnersHost({ slotWaitMs: SLOT_WAIT_MS }, (store) => replacing(store, { commit }));
	const started = t.host.start(await t.actor("a", "restart"), []);
	const late = expect(started).rejects.toMatchObject({ code: "actor_ready_timeout" });
	await t.clock.armed(SLOT_WAIT_MS);
	t.clock.advance(SLOT_WAIT_MS);
	await late;
	expect(t.logged).toEqual([expect.stringContaining("was not stored")]);
});

it("one that nobody waits for does so without end, and gets the slot that comes", async () => {
	const t = runnersHost({ slotWaitMs: SLOT_WAIT_MS });
	const started = t.host.start({ ...(await t.actor("a")), isPatient: true }, []);
	await until(() => expect(t.waiting).toEqual(["a"]));
	t.clock.advance(100 * SLOT_WAIT_MS);
	const runner = t.connect();
	await until(() => expect(runner.commandsFor("a")).toEqual(["CommandStartActor"]));
	runner.tells("a", 0, 0, RUNS);
	await started;
});

it("an engine that stops ends it", async () => {
	const t = runnersHost();
	const started = t.host.start({ ...(await t.actor("a")), isPatient: true }, []);
	const refused = expect(started).rejects.toMatchObject({ code: "service_unavailable" });
	await until(() => expect(t.waiting).toEqual(["a"]));
	t.host.close();
	await refused;
	expect(t.clock.pendingCount).toBe(0);
});
