// `c.workflow` as plain JavaScript and clients meet it (workflows 5.6, 9.4, 11).
import { expect, it } from "vitest";
import { actor, setup } from "../../src/index.ts";
import { setupTest } from "../../src/test/index.ts";
import { workflow } from "../../src/workflow/index.ts";

/** A method of `c.workflow` by its name, and what came of it: what types refuse reaches it nevertheless. */
async function attempt(c: { workflow: object }, method: string, args: unknown[]) {
	const control = c.workflow as Record<string, (...args: unknown[]) => unknown>;
	try {
		return await control[method]!(...args);
	} catch (error) {
		return String(error);
	}
}

const waiting = actor({
	state: { steps: 0 },
	run: workflow(async (ctx) => {
		await ctx.step("once", (c) => {
			c.state.steps++;
		});
		await ctx.queue.next("forever");
	}),
	actions: {
		attempt: (c, method: string, ...args: unknown[]) => attempt(c, method, args),
		steps: (c) => c.state.steps,
	},
});
const foreign = actor({
	run: workflow(async (ctx) => {
		await new Promise<void>((resolve) =>
			ctx.abortSignal.addEventListener("abort", () => resolve()),
		);
	}),
	actions: { attempt: (c, method: string) => attempt(c, method, []) },
});
const plain = actor({ actions: { status: (c) => c.workflow.status() } });
const registry = setup({ use: { waiting, foreign, plain } });

it("5.6. refuses options that it would have to ignore, and does nothing", async (test) => {
	const { client } = await setupTest(test, registry);
	const handle = client.waiting.getOrCreate(["options"]);
	await expect.poll(() => handle.steps()).toBe(1);
	const refusals: [method: string, argument: unknown, text: string][] = [
		["replay", "id", "replay() takes an object with entryId, not a string"],
		["replay", null, "replay() takes an object with entryId, not null"],
		["replay", { entryID: "id" }, 'replay() has no option "entryID", only entryId'],
		["replay", { entryId: 5 }, "replay(): entryId must be a string, not a number"],
		["recover", ["id"], "recover() takes an object with skipRollback, not an array"],
		["recover", { skipRollback: "id" }, "skipRollback must be an array of entry ids, not a string"],
		["recover", { skipRollback: [1] }, "skipRollback must be an array of entry ids, not an array"],
		["cancel", "reason", "cancel() takes an object with reason, rollback, not a string"],
		["cancel", { rollback: "no" }, "cancel(): rollback must be a boolean, not a string"],
		["cancel", { reason: 1 }, "cancel(): reason must be a string, not a number"],
	];
	for (const [method, argument, text] of refusals) {
		expect(await handle.attempt(method, argument)).toContain(`TypeError: c.workflow.`);
		expect(await handle.attempt(method, argument)).toContain(text);
	}
	expect([await handle.steps(), await handle.attempt("status")]).toMatchObject([
		1,
		{ state: "sleeping", epoch: 0 },
	]);
	await handle.attempt("replay", {});
	await expect.poll(() => handle.steps()).toBe(2);
});

it("11.1. history is null until something is recorded, over HTTP too", async (test) => {
	const { client, endpoint } = await setupTest(test, registry);
	const handle = client.foreign.getOrCreate(["first"]);
	expect(await handle.attempt("status")).toMatchObject({ state: "running" });
	expect(await handle.attempt("history")).toBeNull();
	const url = `${endpoint}/gateway/${await handle.resolve()}/inspector/workflow-history`;
	const response = await fetch(url, { headers: { authorization: "Bearer token" } });
	expect(await response.json()).toEqual({ history: null, isWorkflowEnabled: true });
	// That it is paused is recorded.
	await handle.attempt("pause");
	expect(await handle.attempt("history")).toMatchObject({
		entries: [],
		workflow: { paused: true },
	});
});

it("9.4. callers see that an actor has no workflow, as they see the other refusals", async (test) => {
	const { client } = await setupTest(test, registry);
	await expect(client.plain.getOrCreate(["none"]).status()).rejects.toMatchObject({
		group: "workflow",
		code: "not_enabled",
	});
});
