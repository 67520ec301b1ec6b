// Workflows in the inspector: their history, what they do now, and control from outside
// (contract: workflows 11, protocol 7.3, 8.7, 8.8; check 53 and 54).
import { decodeCbor } from "@rivetkit/protocol";
import { decodeWorkflowHistory } from "@rivetkit/protocol/inspector";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { Loop, workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { type InspectorRequest, inspect } from "./support/inspect.ts";
import { InspectorSocket } from "./support/inspector-socket.ts";

const HOUR_MS = 3_600_000;

/** Steps that wait until the test lets them go, by actor key. */
const gates = new Map<string, Gate>();
const effects: string[] = [];
let broken = true;

const kinds = actor({
	state: { n: 0 },
	queues: { jobs: queue<{ at: Date; big: bigint }, string>() },
	run: workflow(async (ctx) => {
		await ctx.rollbackCheckpoint("undo from here");
		await ctx.step({
			name: "charge",
			run: async (c) => {
				c.state.n++;
				return { paid: 5n, on: new Date(0) };
			},
			rollback: async () => {},
		});
		await ctx.removed("old", "step");
		await ctx.getVersion("prices", 3);
		await ctx.queue.send("jobs", { at: new Date(1_000), big: 2n ** 60n });
		await ctx.queue.next("job", { names: ["jobs"], timeout: HOUR_MS });
		await ctx.join("both", { a: { run: async () => 1 }, b: { run: async () => "two" } });
		await ctx.race("first", [
			{ name: "now", run: async () => null },
			{ name: "late", run: (branch) => branch.sleep("nap", HOUR_MS) },
		]);
		await ctx.try("block", async (block) => {
			await block.step({
				name: "fails",
				maxRetries: 0,
				run: async () => {
					throw Object.assign(new RangeError("too far"), { by: 3 });
				},
			});
		});
		await ctx.loop({
			name: "rounds",
			state: { round: 0 },
			run: async (loop, { round }) => {
				await loop.step("count", async () => round);
				if (round < 2) return Loop.continue({ round: round + 1 });
				await loop.join("wait", {
					message: { run: (branch) => branch.queue.next("stop", { names: ["jobs"] }) },
					time: { run: (branch) => branch.sleep("long", HOUR_MS) },
				});
				return Loop.break("over");
			},
		});
	}),
	actions: { nap: (c) => c.sleep() },
});

const job = actor({
	state: { log: [] as string[] },
	queues: { go: queue<number>() },
	run: workflow(async (ctx) => {
		const key = ctx.key[0]!;
		await ctx.rollbackCheckpoint("all");
		await ctx.step({
			name: "first",
			run: async (c) => {
				effects.push(`${key} first`);
				c.state.log.push("first");
				return c.idempotencyKey;
			},
			rollback: async () => {
				effects.push(`${key} undo`);
			},
		});
		await ctx.step("held", async () => {
			effects.push(`${key} held`);
			await gates.get(key)?.passed;
		});
		await ctx.queue.next("wait", { names: ["go"] });
		await ctx.step({
			name: "last",
			maxRetries: 0,
			run: async () => {
				effects.push(`${key} last`);
				if (broken && key === "broken") throw new Error("no");
			},
		});
		return { done: key };
	}),
	actions: { nap: (c) => c.sleep(), send: (c) => c.queue.send("go", 1) },
});

const plain = actor({ state: {}, actions: {} });

let runtime: TestRuntime;
beforeAll(async () => {
	runtime = await TestRuntime.start({ kinds, job, plain }, { token: "engine" });
});
afterAll(() => runtime[Symbol.asyncDispose]());

const get = async (id: string, path: string, request?: InspectorRequest) =>
	(await inspect(runtime, id, path, request)).body;
const post = (id: string, path: string, body?: unknown) =>
	inspect(runtime, id, path, { method: "POST", body });

async function napping(id: string): Promise<void> {
	await runtime.action(id, "nap");
	await eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(id));
}

/** The workflow has come to this wait. */
async function waitingAt(id: string, ...paths: string[]): Promise<void> {
	await eventually(async () => {
		const { workflow: shown } = await get(id, "workflow");
		expect(shown?.waitingFor.map(({ path }: { path: string }) => path)).toEqual(paths);
	});
}

async function started(key: string, ...paths: string[]): Promise<string> {
	const id = await runtime.actorId("job", key);
	await waitingAt(id, ...paths);
	return id;
}

const count = (effect: string) => effects.filter((one) => one === effect).length;

describe("history", () => {
	it("has the contract's shape for every kind, live and asleep, without waking", async () => {
		const id = await runtime.actorId("kinds");
		await waitingAt(id, "rounds/~2/wait/message/stop", "rounds/~2/wait/time/long");
		const live = await get(id, "workflow-history");
		expect(live.isWorkflowEnabled).toBe(true);
		const { nameRegistry, entries, entryMetadata, workflow: shown } = live.history;
		const shape = entries.map(
			({ location, kind }: { location: { tag: string; val: never }[]; kind: object }) => [
				location
					.map(({ tag, val }) =>
						tag === "WorkflowNameIndex"
							? nameRegistry[val]
							: `${nameRegistry[(val as { loop: number }).loop]}~${(val as { iteration: number }).iteration}`,
					)
					.join("/"),
				kind,
			],
		);
		expect(shape).toEqual([
			[
				"undo from here",
				{ tag: "WorkflowRollbackCheckpointEntry", val: { name: "undo from here" } },
			],
			[
				"charge",
				{
					tag: "WorkflowStepEntry",
					val: { output: { paid: 5, on: "1970-01-01T00:00:00.000Z" }, error: null },
				},
			],
			["old", { tag: "WorkflowRemovedEntry", val: { originalType: "step", originalName: null } }],
			["prices", { tag: "WorkflowVersionCheckEntry", val: { resolved: 3, latest: 3 } }],
			[
				"job:deadline",
				{
					tag: "WorkflowSleepEntry",
					val: { deadline: expect.any(Number), state: "INTERRUPTED" },
				},
			],
			["job:count", { tag: "WorkflowMessageEntry", val: { name: "job:count", messageData: 1 } }],
			[
				"job:0",
				{
					tag: "WorkflowMessageEntry",
					val: {
						name: "job:0",
						messageData: {
							__rivetWorkflowQueueMessage: 1,
							id: 1,
							name: "jobs",
							body: { at: "1970-01-01T00:00:01.000Z", big: String(2n ** 60n) },
							createdAt: expect.any(Number),
							completed: false,
						},
					},
				},
			],
			[
				"both",
				{
					tag: "WorkflowJoinEntry",
					val: {
						branches: {
							a: { status: "COMPLETED", output: 1, error: null },
							b: { status: "COMPLETED", output: "two", error: null },
						},
					},
				},
			],
			[
				"first",
				{
					tag: "WorkflowRaceEntry",
					val: {
						winner: "now",
						branches: {
							now: { status: "COMPLETED", output: null, error: null },
							late: { status: "CANCELLED", output: null, error: null },
						},
					},
				},
			],
			["block", { tag: "WorkflowStepEntry", val: { output: expect.anything(), error: null } }],
			[
				"block/fails",
				{
					tag: "WorkflowStepEntry",
					val: { output: null, error: 'Step "fails" exhausted retries: RangeError: too far' },
				},
			],
			[
				"rounds",
				{ tag: "WorkflowLoopEntry", val: { state: { round: 2 }, iteration: 2, output: null } },
			],
			["rounds/rounds~0/count", { tag: "WorkflowStepEntry", val: { output: 0, error: null } }],
			["rounds/rounds~1/count", { tag: "WorkflowStepEntry", val: { output: 1, error: null } }],
			["rounds/rounds~2/count", { tag: "WorkflowStepEntry", val: { output: 2, error: null } }],
			[
				"rounds/rounds~2/wait",
				{
					tag: "WorkflowJoinEntry",
					val: {
						branches: {
							message: { status: "RUNNING", output: null, error: null },
							time: { status: "RUNNING", output: null, error: null },
						},
					},
				},
			],
			[
				"rounds/rounds~2/wait/time/long",
				{ tag: "WorkflowSleepEntry", val: { deadline: expect.any(Number), state: "PENDING" } },
			],
		]);
		expect(Object.keys(entryMetadata)).toEqual(
			entries.map(({ id: entry }: { id: string }) => entry),
		);
		expect(entryMetadata[entries[10].id]).toEqual({
			status: "EXHAUSTED",
			error: 'Step "fails" exhausted retries: RangeError: too far',
			attempts: 1,
			lastAttemptAt: expect.any(Number),
			createdAt: expect.any(Number),
			completedAt: expect.any(Number),
			rollbackCompletedAt: null,
			rollbackError: null,
		});
		expect(shown).toMatchObject({
			state: "sleeping",
			blocked: false,
			paused: false,
			epoch: 0,
			waitingFor: [
				{ path: "rounds/~2/wait/message/stop", names: ["jobs"] },
				{ path: "rounds/~2/wait/time/long", deadline: expect.any(Number) },
			],
		});
		expect((await get(id, "summary")).workflowHistory).toEqual(live.history);
		// As it is, with CBOR.
		const exact = await get(id, "workflow-history", { cbor: true });
		expect(exact.history.entries[1].kind.val.output).toEqual({ paid: 5n, on: new Date(0) });
		expect(exact.history.entries[6].kind.val.messageData.body.big).toBe(2n ** 60n);

		const tree = await get(id, "workflow");
		await napping(id);
		expect(await get(id, "workflow-history")).toEqual(live);
		expect(await get(id, "workflow")).toEqual(tree);
		expect((await get(id, "summary")).workflowHistory).toEqual(live.history);
		expect(runtime.embedded.host.liveActorIds).not.toContain(id);
	});

	it("is a tree with what each entry waits for", async () => {
		const id = await runtime.actorId("kinds", "tree");
		await waitingAt(id, "rounds/~2/wait/message/stop", "rounds/~2/wait/time/long");
		const { workflow: shown, isWorkflowEnabled } = await get(id, "workflow");
		expect(isWorkflowEnabled).toBe(true);
		expect(shown).toMatchObject({
			state: "sleeping",
			blocked: false,
			paused: false,
			epoch: 0,
			startedAt: expect.any(Number),
			running: [],
			truncated: false,
			liveEntries: shown.entries.length,
		});
		const byPath = new Map(shown.entries.map((entry: { path: string }) => [entry.path, entry]));
		const history = (await get(id, "workflow-history")).history;
		const idOf = (path: string) => (byPath.get(path) as { id: string }).id;
		expect(idOf("charge")).toBe(history.entries[1].id);
		const common = {
			id: expect.any(String),
			startedAt: expect.any(Number),
			endedAt: expect.any(Number),
			lastAttemptAt: null,
			deadline: null,
			error: null,
			rolledBackAt: null,
			rollbackError: null,
			attempts: 0,
			status: "completed",
		};
		expect(byPath.get("charge")).toEqual({
			...common,
			parentId: null,
			name: "charge",
			path: "charge",
			kind: "step",
			attempts: 1,
			lastAttemptAt: expect.any(Number),
			isCompensable: true,
			output: { paid: 5, on: "1970-01-01T00:00:00.000Z" },
		});
		expect(byPath.get("prices")).toMatchObject({ version: { resolved: 3, latest: 3 } });
		expect(byPath.get("old")).toMatchObject({ kind: "removed", originalType: "step" });
		expect(byPath.get("~send jobs 0")).toMatchObject({ kind: "send", name: "jobs" });
		expect(byPath.get("job")).toMatchObject({
			kind: "message",
			queues: ["jobs"],
			deadline: expect.any(Number),
			messages: [{ id: 1, queue: "jobs", body: { big: String(2n ** 60n) } }],
		});
		expect(byPath.get("first")).toMatchObject({
			winner: "now",
			output: null,
			branches: [
				{ name: "now", status: "completed", error: null },
				{ name: "late", status: "cancelled", error: null },
			],
		});
		expect(byPath.get("block/fails")).toMatchObject({
			parentId: idOf("block"),
			status: "exhausted",
			error: { name: "StepExhaustedError", message: expect.stringContaining("too far") },
		});
		expect(byPath.get("rounds")).toMatchObject({
			status: "running",
			currentIteration: 2,
			state: { round: 2 },
			endedAt: null,
		});
		expect(byPath.get("rounds/~1/count")).toMatchObject({
			parentId: idOf("rounds"),
			iteration: 1,
		});
		// A wait has no record before its message, and is there nevertheless.
		expect(byPath.get("rounds/~2/wait/message/stop")).toMatchObject({
			parentId: idOf("rounds/~2/wait"),
			branch: "message",
			kind: "message",
			status: "waiting",
			queues: ["jobs"],
			deadline: null,
		});
		expect(byPath.get("rounds/~2/wait/time/long")).toMatchObject({
			branch: "time",
			kind: "sleep",
			status: "waiting",
			deadline: expect.any(Number),
		});
		const last = await get(id, "workflow?limit=1&values=false");
		expect(last.workflow.truncated).toBe(true);
		// What is around it is shown, too.
		expect(last.workflow.entries.map(({ path }: { path: string }) => path)).toEqual([
			"rounds",
			"rounds/~2/wait",
			expect.stringMatching(/^rounds\/~2\/wait\//),
		]);
		expect(last.workflow.entries[0]).not.toHaveProperty("state");
	});

	it("shows a step that runs, and other actors of its type have their own", async () => {
		const gate = new Gate();
		gates.set("running", gate);
		const id = await runtime.actorId("job", "running");
		await eventually(async () => {
			const { workflow: shown } = await get(id, "workflow");
			expect(shown.running).toEqual([{ entryId: expect.any(String), path: "held", attempt: 1 }]);
			expect(shown.state).toBe("running");
			expect(shown.entries.at(-1)).toMatchObject({
				path: "held",
				status: "running",
				attempts: 1,
				endedAt: null,
			});
		});
		const other = await started("other", "wait");
		const [mine, theirs] = [
			(await get(id, "workflow-history")).history,
			(await get(other, "workflow-history")).history,
		];
		expect(mine.entries.map(({ kind }: { kind: { tag: string } }) => kind.tag)).toHaveLength(3);
		const firstOf = (history: typeof mine) => history.entries[1].kind.val.output;
		expect(firstOf(mine)).not.toBe(firstOf(theirs));
		gate.open();
		await waitingAt(id, "wait");
	});

	it("is null without a workflow", async () => {
		const id = await runtime.actorId("plain");
		expect(await get(id, "workflow-history")).toEqual({ history: null, isWorkflowEnabled: false });
		expect(await get(id, "workflow")).toEqual({ workflow: null, isWorkflowEnabled: false });
		for (const route of ["pause", "resume", "cancel", "recover", "wake", "replay", "import"]) {
			const { status, body } = await post(id, `workflow/${route}`, {});
			expect([route, status, body.code]).toEqual([route, 400, "invalid"]);
		}
		expect((await inspect(runtime, id, "workflow/export")).status).toBe(400);
	});
});

describe("control", () => {
	it("replays from a step: 409 while a step runs, later entries run again, with new keys", async () => {
		const gate = new Gate();
		gates.set("replay", gate);
		const id = await runtime.actorId("job", "replay");
		await eventually(() => expect(count("replay held")).toBe(1));
		const inFlight = await post(id, "workflow/replay", {});
		expect([inFlight.status, inFlight.body]).toMatchObject([
			409,
			{ group: "actor", code: "workflow_in_flight" },
		]);
		gate.open();
		await waitingAt(id, "wait");
		const before = (await get(id, "workflow")).workflow;
		const idOf = (path: string) =>
			before.entries.find((entry: { path: string }) => entry.path === path).id;
		expect((await post(id, "workflow/replay", { entryId: "nobody" })).body).toMatchObject({
			group: "workflow",
			code: "entry_not_found",
		});
		expect((await post(id, "workflow/replay", { entryId: 5 })).status).toBe(400);
		// Asleep: it is woken for that, and stands still as soon as its records have answered.
		await napping(id);
		const answer = await post(id, "workflow/replay", { entryId: idOf("held") });
		expect([answer.status, answer.body.isWorkflowEnabled]).toEqual([200, true]);
		expect(answer.body.history).toMatchObject({
			entries: expect.any(Array),
			workflow: { epoch: 1 },
		});
		await eventually(() => expect(count("replay held")).toBe(2));
		await waitingAt(id, "wait");
		expect(count("replay first")).toBe(1);
		const whole = await post(id, "workflow/replay");
		expect(whole.status).toBe(200);
		await eventually(() => expect(count("replay first")).toBe(2));
		await waitingAt(id, "wait");
		const after = (await get(id, "workflow")).workflow;
		expect(after.epoch).toBe(2);
		const outputOf = (shown: typeof before) =>
			shown.entries.find((entry: { path: string }) => entry.path === "first").output;
		expect(outputOf(after)).not.toBe(outputOf(before));
	});

	it("pauses, resumes, wakes", async () => {
		const id = await started("paused", "wait");
		expect((await post(id, "workflow/pause")).body.workflow).toMatchObject({ paused: true });
		await runtime.action(id, "send");
		expect((await get(id, "workflow")).workflow).toMatchObject({ paused: true, waitingFor: [] });
		await napping(id);
		expect((await get(id, "workflow")).workflow.paused).toBe(true);
		expect((await post(id, "workflow/wake")).body.workflow.paused).toBe(true);
		expect(count("paused last")).toBe(0);
		expect((await post(id, "workflow/resume")).body.workflow.paused).toBe(false);
		await eventually(async () =>
			expect((await get(id, "workflow")).workflow).toMatchObject({
				state: "completed",
				output: { done: "paused" },
			}),
		);
		expect(count("paused last")).toBe(1);
	});

	it("cancels, which undoes what was done unless that is not wanted", async () => {
		const undone = await started("undone", "wait");
		const { status } = await post(undone, "workflow/cancel", { reason: "enough" });
		expect(status).toBe(200);
		await eventually(async () =>
			expect((await get(undone, "workflow")).workflow).toMatchObject({
				state: "cancelled",
				cancelReason: "enough",
			}),
		);
		expect(count("undone undo")).toBe(1);
		const kept = await started("kept", "wait");
		const { body } = await post(kept, "workflow/cancel", { rollback: false });
		expect(body.workflow.state).toBe("cancelled");
		expect(count("kept undo")).toBe(0);
		expect((await post(kept, "workflow/cancel", { rollback: "yes" })).status).toBe(400);
	});

	it("retries from the step that failed", async () => {
		const id = await started("broken", "wait");
		expect((await post(id, "workflow/recover")).body).toMatchObject({
			group: "workflow",
			code: "not_recoverable",
		});
		await runtime.action(id, "send");
		await eventually(async () =>
			expect((await get(id, "workflow")).workflow).toMatchObject({
				state: "failed",
				error: { name: "StepExhaustedError" },
			}),
		);
		await napping(id);
		broken = false;
		expect((await post(id, "workflow/recover", { skipRollback: 1 })).status).toBe(400);
		expect((await post(id, "workflow/recover")).status).toBe(200);
		await eventually(async () =>
			expect((await get(id, "workflow")).workflow.state).toBe("completed"),
		);
		broken = true;
		// It was undone when the workflow failed, so it is done again; the wait has its message.
		expect(["first", "held", "last", "undo"].map((one) => count(`broken ${one}`))).toEqual([
			2, 1, 2, 1,
		]);
	});

	it("carries a history over to a new actor", async () => {
		const from = await started("from", "wait");
		const { exported } = await get(from, "workflow/export");
		const to = await runtime.actorId("job", "to");
		await waitingAt(to, "wait");
		expect((await post(to, "workflow/import", { exported })).status).toBe(200);
		await waitingAt(to, "wait");
		await runtime.action(to, "send");
		await eventually(async () =>
			expect((await get(to, "workflow")).workflow.state).toBe("completed"),
		);
		expect([count("from first"), count("to first"), count("to last")]).toEqual([1, 1, 1]);
		const outputOf = async (id: string) => (await get(id, "workflow")).workflow.entries[1].output;
		expect(await outputOf(to)).toBe(await outputOf(from));
		expect((await post(to, "workflow/import", { exported: 7 })).status).toBe(400);
	});
});

describe("the socket", () => {
	it("sends the history first, and again when it has changed", async () => {
		const id = await started("watched", "wait");
		const { socket, init } = await InspectorSocket.open(runtime, id);
		await using _ = socket;
		expect(init.isWorkflowEnabled).toBe(true);
		const first = decodeWorkflowHistory(init.workflowHistory!);
		expect(first.nameRegistry).toEqual(["all", "first", "held", "wait"].slice(0, 3));
		expect(first.entries.map(({ kind }) => kind.tag)).toEqual([
			"RollbackCheckpoint",
			"Step",
			"Step",
		]);
		const { kind, id: entryId } = first.entries[1]!;
		expect(decodeCbor((kind.val as { output: Uint8Array }).output)).toEqual(expect.any(String));
		expect(first.entryMetadata.get(entryId)).toMatchObject({
			status: "Completed",
			attempts: 1,
			error: undefined,
		});
		await runtime.action(id, "send");
		const pushed = await socket.until("WorkflowHistoryUpdated", ({ history }) =>
			decodeWorkflowHistory(history).nameRegistry.includes("last"),
		);
		const answer = await socket.ask(
			{ tag: "WorkflowHistoryRequest", val: { id: 9 } },
			"WorkflowHistoryResponse",
		);
		expect(answer).toEqual({ rid: 9, history: pushed.history, isWorkflowEnabled: true });
		await napping(id);
		expect(
			await socket.ask(
				{ tag: "WorkflowHistoryRequest", val: { id: 10 } },
				"WorkflowHistoryResponse",
			),
		).toEqual({ rid: 10, history: pushed.history, isWorkflowEnabled: true });
		expect(runtime.embedded.host.liveActorIds).not.toContain(id);
	});

	it("sends each watcher at most ten histories a second, however often it changes, and the last one", async () => {
		const done: number[] = [];
		const busy = actor({
			state: {},
			queues: { go: queue<number>() },
			run: workflow(async (ctx) => {
				await ctx.loop({
					name: "rounds",
					historyKeep: 0,
					run: async (loop) => {
						const { body } = await loop.queue.next("go", { names: ["go"] });
						await loop.step("count", () => body);
						done.push(body);
					},
				});
			}),
			actions: { send: (c, n: number) => c.queue.send("go", n) },
		});
		const clock = new FakeClock();
		await using own = await TestRuntime.start({ busy }, { token: "engine", clock });
		const id = await own.actorId("busy");
		const [one, two] = [await InspectorSocket.open(own, id), await InspectorSocket.open(own, id)];
		await using _one = one.socket;
		await using _two = two.socket;
		const both = [one.socket, two.socket];
		const CHANGES = 50;
		for (let n = 1; n <= CHANGES; n++) {
			await own.action(id, "send", n);
			await eventually(() => expect(done).toHaveLength(n));
			await clock.advance(1_000 / CHANGES);
			for (const socket of both) await socket.roundTrip();
		}
		const histories = ({ unread }: InspectorSocket) =>
			unread.flatMap((sent) => (sent.tag === "WorkflowHistoryUpdated" ? [sent.val.history] : []));
		for (const socket of both) {
			const { length } = histories(socket);
			expect([length <= 10, length >= 5]).toEqual([true, true]);
		}
		await clock.advance(200);
		const { history: latest } = await one.socket.ask(
			{ tag: "WorkflowHistoryRequest", val: { id: 1 } },
			"WorkflowHistoryResponse",
		);
		await eventually(() => expect(histories(two.socket).at(-1)).toEqual(latest));
	});

	it("has every kind in bytes that clients of 2.1.3 can read", async () => {
		const id = await runtime.actorId("kinds", "bytes");
		await waitingAt(id, "rounds/~2/wait/message/stop", "rounds/~2/wait/time/long");
		const { socket, init } = await InspectorSocket.open(runtime, id);
		await using _ = socket;
		const { entries, entryMetadata } = decodeWorkflowHistory(init.workflowHistory!);
		const json = (await get(id, "workflow-history")).history;
		expect(entries.map(({ id: entry }) => entry)).toEqual(
			json.entries.map(({ id: entry }: { id: string }) => entry),
		);
		expect([...entryMetadata.keys()]).toEqual(Object.keys(json.entryMetadata));
		expect(new Set(entries.map(({ kind }) => kind.tag))).toEqual(
			new Set([
				"RollbackCheckpoint",
				"Step",
				"Removed",
				"Sleep",
				"Message",
				"Join",
				"Race",
				"Loop",
			]),
		);
		const last = entries.at(-1)!;
		expect([last.kind.val, entryMetadata.get(last.id)!.status]).toMatchObject([
			{ state: "Pending" },
			"Pending",
		]);
		const raced = entries.find(({ kind }) => kind.tag === "Race")!.kind.val;
		expect(raced).toMatchObject({
			winner: "now",
			branches: new Map([
				["now", { status: "Completed", output: expect.any(Uint8Array), error: undefined }],
				["late", { status: "Cancelled", output: undefined, error: undefined }],
			]),
		});
		const loop = entries.find(({ kind }) => kind.tag === "Loop")!.kind.val as { state: Uint8Array };
		expect(decodeCbor(loop.state)).toEqual({ round: 2 });
		const message = entries[6]!.kind.val as { messageData: Uint8Array };
		expect(decodeCbor(message.messageData)).toMatchObject({ body: { big: 2n ** 60n } });
	});

	it("replays", async () => {
		const id = await started("socket replay", "wait");
		const { socket } = await InspectorSocket.open(runtime, id, { version: 6, query: "?version=6" });
		await using _ = socket;
		const { workflow: shown } = await get(id, "workflow");
		const entryId = shown.entries.find(({ path }: { path: string }) => path === "held").id;
		const answer = await socket.ask(
			{ tag: "WorkflowReplayRequest", val: { id: 4, entryId } },
			"WorkflowReplayResponse",
		);
		expect(answer).toEqual({ rid: 4, history: expect.any(Uint8Array), isWorkflowEnabled: true });
		await eventually(() => expect(count("socket replay held")).toBe(2));
		expect(count("socket replay first")).toBe(1);
		const { message } = await socket.ask(
			{ tag: "WorkflowReplayRequest", val: { id: 5, entryId: "nobody" } },
			"Error",
		);
		expect(message).toContain("nobody");
	});
});
