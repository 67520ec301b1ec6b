// Conformance checks of workflows 15: the history as JSON, and replays (53, 54).
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { eventually } from "../support/eventually.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import type { History } from "./support/history.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it("53. shows its history as JSON, of every kind, also after a cold start", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.getVersion("version", 3);
			await ctx.removed("gone", "sleep");
			await ctx.step("charge", () => ({ ok: true, big: 5n, at: new Date(0) }));
			await ctx.join("join", { a: { run: async () => 1 } });
			await ctx.race("race", [
				{ name: "w", run: async () => "won" },
				{ name: "l", run: (b) => b.sleep("s", 1e9) },
			]);
			await ctx.loop({
				name: "poll",
				state: 4,
				run: async (loop) => {
					const [message] = await loop.queue.nextBatch("wait", { names: ["work"], timeout: 1e9 });
					await loop.sleep("nap", 1_000_000);
					return Loop.continue(message ? 1 : 2);
				},
			});
		}, on);
		await world.send("work", "hello");
		const history = await world.call<History>("history");
		await world.crash();
		const again = await world.call<History>("history");
		expect(again.entries).toEqual(history.entries);
		const { nameRegistry, entries, entryMetadata, workflow } = again;
		const shown = entries.map(({ location, kind }) => [
			location
				.map(({ tag, val }) => {
					if (tag === "WorkflowNameIndex") return nameRegistry[val as number];
					const { loop, iteration } = val as { loop: number; iteration: number };
					return `${nameRegistry[loop]}#${iteration}`;
				})
				.join("/"),
			kind.tag,
			kind.val,
		]);
		expect(shown).toEqual([
			["checkpoint", "WorkflowRollbackCheckpointEntry", { name: "checkpoint" }],
			["version", "WorkflowVersionCheckEntry", { resolved: 3, latest: 3 }],
			["gone", "WorkflowRemovedEntry", { originalType: "sleep", originalName: null }],
			[
				"charge",
				"WorkflowStepEntry",
				{ output: { ok: true, big: 5, at: "1970-01-01T00:00:00.000Z" }, error: null },
			],
			[
				"join",
				"WorkflowJoinEntry",
				{ branches: { a: { status: "COMPLETED", output: 1, error: null } } },
			],
			[
				"race",
				"WorkflowRaceEntry",
				{
					winner: "w",
					branches: {
						w: { status: "COMPLETED", output: "won", error: null },
						l: { status: "CANCELLED", output: null, error: null },
					},
				},
			],
			["poll", "WorkflowLoopEntry", { state: 4, iteration: 0, output: null }],
			[
				"poll/poll#0/wait:deadline",
				"WorkflowSleepEntry",
				{ deadline: expect.any(Number), state: "INTERRUPTED" },
			],
			["poll/poll#0/wait:count", "WorkflowMessageEntry", { name: "wait:count", messageData: 1 }],
			[
				"poll/poll#0/wait:0",
				"WorkflowMessageEntry",
				{ name: "wait:0", messageData: expect.objectContaining({ name: "work", body: "hello" }) },
			],
			["poll/poll#0/nap", "WorkflowSleepEntry", { deadline: expect.any(Number), state: "PENDING" }],
		]);
		const charge = entries.find(({ kind }) => kind.tag === "WorkflowStepEntry")!;
		expect(entryMetadata[charge.id]).toMatchObject({ status: "COMPLETED", attempts: 1 });
		expect(workflow).toMatchObject({ state: "sleeping" });
		expect(() => JSON.stringify(again)).not.toThrow();
	});

	it("54. replays from a step: refused while it works, else exactly what came later", async () => {
		let busy = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.step("a", () => void ledger.push("a"));
			await ctx.step("b", (c) => void ledger.push(`b ${c.idempotencyKey}`));
			await ctx.step("c", async () => {
				ledger.push("c");
				if (busy) await new Promise(() => {});
			});
		}, on);
		await expect(world.call("replay")).rejects.toMatchObject({ code: "workflow_in_flight" });
		busy = false;
		await world.crash();
		const history = await world.call<History>("history");
		const b = history.entries[1]!.id;
		await expect(world.call("replay", { entryId: "none" })).rejects.toMatchObject({
			code: "entry_not_found",
		});
		world.ledger.length = 0;
		await world.call("replay", { entryId: b });
		await world.settle();
		expect(world.ledger.map((line) => line.split(" ")[0])).toEqual(["b", "c"]);
		expect(world.ledger[0]).not.toContain(b);
		expect((await world.status()).state).toBe("completed");
	});

	it("54. a history that was taken back in part is not compared in its order", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx) => {
			const first = await ctx.tryStep({
				name: "first",
				maxRetries: 0,
				run: () => {
					if (isBroken) throw new Error("broken");
				},
			});
			await ctx.step("second", () => {});
			if (!first.ok) throw new Error("failed");
			await ctx.queue.next("work", { names: ["work"] });
		}, on);
		expect((await world.status()).state).toBe("failed");
		isBroken = false;
		await world.call("recover");
		await world.settle();
		for (let start = 0; start < 2; start++) {
			expect((await world.status()).state).toBe("sleeping");
			expect(world.runtime.log.filter(({ fields }) => "recorded" in fields)).toEqual([]);
			await world.crash();
		}
	});

	it("54. replays into another actor: what was recorded answers there", async () => {
		const fn = async (ctx: Ctx, { ledger }: World) => {
			const value = await ctx.step("once", () => {
				ledger.push("once");
				return "recorded";
			});
			await ctx.queue.next("wait", { names: ["work"] });
			await ctx.step("then", () => void ctx.state.log.push(value));
		};
		await using world = await World.start(fn, on);
		const exported = await world.call("export");
		const first = world.id;
		world.id = await world.runtime.actorId("subject", "/copy");
		await world.settle();
		await world.call("import", exported);
		await world.settle();
		expect(world.ledger).toEqual(["once", "once"]);
		await world.send("work", 1);
		await eventually(async () => expect((await world.state()).log).toEqual(["recorded"]));
		expect(world.ledger).toEqual(["once", "once"]);
		world.id = first;
		expect((await world.state()).log).toEqual([]);
	});
});

onMemory.describe("attacked", () => {
	it("what is no export is refused, and the history stays", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.step("a", () => ctx.state.n++);
			await ctx.queue.next("forever");
		});
		const before = await world.call("history");
		const exported = await world.call<Uint8Array>("export");
		for (const bytes of [new Uint8Array(), Uint8Array.of(1), exported.subarray(0, -9)]) {
			await expect(world.call("import", bytes)).rejects.toMatchObject({
				group: "workflow",
				code: "unknown_export",
			});
		}
		expect(await world.call("history")).toEqual(before);
		await world.call("import", exported);
		await world.settle();
		expect((await world.state()).n).toBe(1);
	});

	it("a control operation whose commit fails says so, and nothing is half done", async () => {
		const disk = new WrappedStore();
		await using world = await World.start(
			async (ctx) => {
				await ctx.step("a", () => {
					ctx.state.n++;
				});
				await ctx.queue.next("wait", { names: ["work"] });
			},
			{ store: disk.store },
		);
		for (const operation of ["pause", "cancel", "replay"]) {
			disk.failNext();
			await expect(world.call(operation)).rejects.toBeDefined();
			await world.advance(2_000);
			expect([operation, await world.status()]).toMatchObject([
				operation,
				{ state: "sleeping", paused: false },
			]);
		}
		expect((await world.state()).n).toBe(1);
		await world.send("work");
		expect((await world.status()).state).toBe("completed");
	});

	it("a history of 10,000 entries is shown, whole and in part, and replayed", async () => {
		await using world = await World.start(
			async (ctx) => {
				for (let index = 0; index < 10_000; index++) {
					await ctx.step({ name: `s${index}`, ephemeral: true, run: () => index });
				}
				await ctx.queue.next("forever");
			},
			{ workflow: { maxLiveEntries: 20_000 } as never },
		);
		await eventually(async () => expect((await world.status()).state).toBe("sleeping"));
		const shown = await inspect(world.runtime, world.id, "workflow?limit=10");
		expect(shown.body.workflow).toMatchObject({ liveEntries: 10_001, truncated: true });
		expect(shown.body.workflow.entries).toHaveLength(10);
		const { body } = await inspect(world.runtime, world.id, "workflow-history");
		expect(body.history.entries).toHaveLength(10_000);
		const entryId = body.history.entries[9_990].id;
		await inspect(world.runtime, world.id, "workflow/replay", {
			method: "POST",
			body: { entryId },
		});
		await eventually(async () => expect((await world.status()).state).toBe("sleeping"));
		const again = await inspect(world.runtime, world.id, "workflow?limit=20");
		const epochs = again.body.workflow.entries.map(({ id }: { id: string }) =>
			body.history.entries.some((entry: { id: string }) => entry.id === id),
		);
		expect(epochs.filter(Boolean)).toHaveLength(9);
	});
});
