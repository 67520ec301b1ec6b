// What nodes keep in PostgreSQL beside actors: a session of their own, and who waits.
import { expect, it, onTestFinished } from "vitest";
import { newDatabase, sql } from "../../../../../tests/support/postgres.ts";
import { clientConfig } from "../../../src/store/postgres/connection-settings.ts";
import { NodeRows } from "../../../src/store/postgres/node-rows.ts";
import { openPostgresStore } from "../../../src/store/postgres/open-postgres-store.ts";
import { until } from "../../helpers/until.ts";
import { acquiredActor } from "../fixtures.ts";

const NAME = "rows under test";

async function nodeRows() {
	const url = await newDatabase();
	const store = await openPostgresStore({ url });
	const rows = new NodeRows(store, {
		config: await clientConfig({ url }),
		address: url,
		applicationName: NAME,
		statementTimeoutMs: 10_000,
	});
	onTestFinished(async () => {
		await rows.close();
		await store.close();
	});
	const sessions = async () => {
		const found = await sql<{ pid: number }>(
			url,
			"SELECT pid FROM pg_stat_activity WHERE application_name = $1",
			[NAME],
		);
		return found.map(({ pid }) => pid);
	};
	return { url, store, rows, sessions };
}

it("there is one session, though several ask while there is none, and while it is away", async () => {
	const { url, rows, sessions } = await nodeRows();
	await Promise.all([rows.connect(), rows.hint("nodes"), rows.reap()]);
	const [first, ...others] = await sessions();
	expect(others).toEqual([]);
	await sql(url, "SELECT pg_terminate_backend($1)", [first]);
	await until(() => Promise.all([rows.hint("nodes"), rows.reap(), rows.hint("left")]));
	await until(async () => {
		const now = await sessions();
		expect(now).toHaveLength(1);
		expect(now).not.toContain(first);
	});
});

it("none is left when it is closed while it opens, and none is opened then", async () => {
	const { rows, sessions } = await nodeRows();
	const opening = rows.connect();
	await rows.close();
	await opening;
	await until(async () => expect(await sessions()).toEqual([]));
	await expect(rows.hint("nodes")).rejects.toThrow("closed");
});

it("who is late with a pause does not hold back the alarm of a newer incarnation", async () => {
	const { url, store, rows } = await nodeRows();
	const { actorId } = await acquiredActor(store);
	const pausedUntil = async () => {
		const [row] = await sql<{ wake_after: string }>(
			url,
			"SELECT wake_after FROM rivetkit.actors WHERE id = $1",
			[actorId],
		);
		return Number(row!.wake_after);
	};
	await rows.postpone(actorId, 0, 1_000);
	expect(await pausedUntil()).toBe(1_000);
	const { generation } = await store.acquire(actorId);
	await store.commit({ actorId, generation, ops: [], alarmTs: 5_000, record: {} });
	await rows.postpone(actorId, 0, 2_000);
	expect(await pausedUntil()).toBe(0);
	await rows.postpone(actorId, generation, 3_000);
	expect(await pausedUntil()).toBe(3_000);
});

it("due alarms are taken of all pools but those that are to be left alone", async () => {
	const { store, rows } = await nodeRows();
	const { epoch } = await rows.register(
		{ name: "a", address: "", version: "", names: ["counter"] },
		60_000,
	);
	const due = async (runnerNameSelector: string) => {
		const { actorId } = await acquiredActor(store, { runnerNameSelector });
		const record = { sleepTs: Date.now() };
		await store.commit({ actorId, generation: 0, ops: [], alarmTs: 1, record });
		return actorId;
	};
	const full = await due("full");
	const free = await due("free");
	const without = [{ namespace: "default", pool: "full" }];
	const taken = await rows.claimDue(epoch, ["counter"], 10, without);
	expect(taken.actors.map(({ actorId }) => actorId)).toEqual([free]);
	const rest = await rows.claimDue(epoch, ["counter"], 10);
	expect(rest.actors.map(({ actorId }) => actorId)).toEqual([full]);
});
