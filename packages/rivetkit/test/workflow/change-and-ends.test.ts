// Conformance checks of workflows 15: change (46 to 50), ends and tools (51 to 55).
import { expect, it } from "vitest";
import { reviveError, storeError } from "../../src/workflow/history/stored-error.ts";
import {
	ActorWorkflowContext,
	CancelledError,
	CriticalError,
	EntryInProgressError,
	EvictedError,
	HistoryDivergedError,
	type JoinError,
	Loop,
	MessageWaitError,
	QueueTimeoutError,
	RollbackCheckpointError,
	SleepError,
	StepExhaustedError,
	StepFailedError,
	StepTimeoutError,
} from "../../src/workflow/index.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { eventually } from "../support/eventually.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

type History = {
	nameRegistry: string[];
	entries: {
		id: string;
		location: { tag: string; val: unknown }[];
		kind: { tag: string; val: Record<string, unknown> };
	}[];
	entryMetadata: Record<string, { status: string; attempts: number }>;
	workflow: { state: string; liveEntries: number };
};

everywhere((on) => {
	it("46. a renamed step blocks, readably and without loss; a deploy with removed goes on", async () => {
		const version =
			(name: string, removes?: string) =>
			async (ctx: Ctx): Promise<void> => {
				await ctx.loop("loop", async (loop) => {
					await loop.step(name, () => {
						ctx.state.n += 1;
					});
					if (removes) await loop.removed(removes, "step");
					await loop.queue.next("wait", { names: ["work"] });
				});
			};
		await using world = await World.start(version("old"), on);
		world.fn = version("new");
		world.codeVersion = 2;
		await world.crash();
		await world.send("work", 1);
		const blocked = await world.status();
		expect(blocked).toMatchObject({
			state: "sleeping",
			blocked: true,
			error: { name: "HistoryDivergedError" },
		});
		expect(blocked.error!.message).toContain(
			'Entry "loop/~0/old" exists in history but was not visited.',
		);
		expect(blocked.error!.message).toContain('- step "old"');
		expect(blocked.error!.message).toContain(
			"Recorded by version 1 of the registry; this is version 2.",
		);
		const log = world.runtime.log.filter(({ message }) => message === "the workflow is blocked");
		expect(log).toHaveLength(1);
		world.fn = version("new", "old");
		await world.crash();
		expect(await world.status()).toMatchObject({ blocked: false, state: "sleeping" });
		await world.send("work", 2);
		expect((await world.state()).n).toBeGreaterThanOrEqual(2);
	});

	it("46. is tried again by itself, less and less often", async () => {
		let isRight = false;
		await using world = await World.start(async (ctx) => {
			if (!isRight) void ctx.state;
			await ctx.step("done", () => {
				ctx.state.n = 1;
			});
		}, on);
		await world.advance(3_100);
		expect((await world.status()).blocked).toBe(true);
		expect(world.errors.filter((event) => "workflow" in event)).toHaveLength(1);
		isRight = true;
		await world.advance(4_000);
		expect((await world.status()).state).toBe("completed");
		expect((await world.state()).n).toBe(1);
	});

	it("47. removed covers a loop, a join, a race and a timed wait with all that is below", async () => {
		const old = async (ctx: Ctx) => {
			await ctx.loop("outer", async (it) => {
				await it.loop("loop", async (inner) => {
					await inner.step("s", () => {});
					return Loop.break();
				});
				await it.join("join", { a: { run: (b) => b.step("s", () => {}) } });
				await it.race("race", [{ name: "a", run: (b) => b.step("s", () => {}) }]);
				await it.queue.nextBatch("timed", { timeout: 10 });
				await it.try("try", (b) => b.step("s", () => {}));
				await it.queue.next("wait", { names: ["work"] });
			});
		};
		await using world = await World.start(old, on);
		await world.advance(20);
		world.fn = async (ctx) => {
			await ctx.loop("outer", async (it) => {
				for (const [name, type] of [
					["loop", "loop"],
					["join", "join"],
					["race", "race"],
					["timed", "message"],
					["try", "step"],
				] as const) {
					await it.removed(name, type);
				}
				await it.step("fresh", () => {
					ctx.state.n += 1;
				});
				await it.queue.next("wait", { names: ["work"] });
			});
		};
		await world.crash();
		await world.send("work", 1);
		expect(await world.status()).toMatchObject({ blocked: false });
		expect((await world.state()).n).toBe(2);
	});

	it("48. getVersion tells old iterations from new ones", async () => {
		const seen: number[] = [];
		const old = async (ctx: Ctx) => {
			await ctx.loop("loop", async (it) => {
				await it.step("a", () => {});
				await it.queue.next("wait", { names: ["work"] });
			});
		};
		await using world = await World.start(old, on);
		world.fn = async (ctx) => {
			await ctx.loop("loop", async (it) => {
				const version = await it.getVersion("change", 2);
				seen.push(version);
				await it.step("a", () => {});
				await it.queue.next("wait", { names: ["work"] });
			});
		};
		await world.crash();
		await world.send("work", 1);
		// Replays ask again, and are told the same.
		expect([...new Set(seen.splice(0))]).toEqual([1, 2]);
		await world.crash();
		expect([...new Set(seen)]).toEqual([2]);
		world.fn = async (ctx) => {
			await ctx.loop("loop", async (it) => {
				await it.removed("change", "version_check");
				await it.step("a", () => {});
				await it.queue.next("wait", { names: ["work"] });
			});
		};
		await world.crash();
		await world.send("work", 2);
		expect(await world.status()).toMatchObject({ blocked: false });
	});

	it("49. names that look like paths, chunks or bytes do not collide", async () => {
		const names = ["a/b", "~0", "x:count", "\u{1F600}", "a\\b", "\0", "\u0001", "a\0b", "a"];
		await using world = await World.start(async (ctx) => {
			for (const name of names) {
				const value = await ctx.step(name, () => name);
				if (value !== name) throw new Error(`wrong: ${value}`);
				await ctx.loop(`loop ${name}`, async (loop) => {
					await loop.step(name, () => name);
					return Loop.break();
				});
			}
			await ctx.join("a", { b: { run: (b) => b.step("c", () => 1) } }).catch(() => {});
			await ctx.queue.next("wait");
		}, on);
		await world.crash();
		expect((await world.status()).error?.message).toMatch(
			/^Duplicate entry name "a" at location "a"/,
		);
	});

	it("50. another kind at a name is a divergence", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.step("thing", () => {});
			await ctx.queue.next("wait");
		}, on);
		world.fn = (ctx) => ctx.sleep("thing", 5);
		await world.crash();
		expect((await world.status()).error?.message).toMatch(
			/^Expected sleep "thing" at thing, found step/,
		);
	});

	it("4.5. the root only warns of what is not visited, unless it is to be strict", async () => {
		for (const strictRoot of [false, true]) {
			await using world = await World.start(
				async (ctx) => {
					await ctx.step("old", () => {});
					await ctx.queue.next("wait");
				},
				{ ...on, workflow: { strictRoot } },
			);
			world.fn = (ctx) => ctx.step("new", () => {});
			await world.crash();
			expect(await world.status()).toMatchObject(
				strictRoot ? { blocked: true } : { state: "completed", blocked: false },
			);
		}
	});

	it("3.6.4. branches may be added to a join as long as none has ended", async () => {
		const join = (names: string[]) => async (ctx: Ctx) => {
			const branch = (name: string) => ({
				run: async (b: Ctx) => {
					await b.queue.next("m", { names: [name === "a" ? "work" : "control"] });
					return name;
				},
			});
			const all = await ctx.join(
				"j",
				Object.fromEntries(names.map((name) => [name, branch(name)])),
			);
			await ctx.step("note", () => void ctx.state.log.push(Object.keys(all).join()));
		};
		await using world = await World.start(join(["a"]), on);
		world.fn = join(["a", "b"]);
		await world.crash();
		expect((await world.status()).blocked).toBe(false);
		await world.send("work", 1);
		world.fn = join(["a", "c"]);
		await world.crash();
		expect((await world.status()).error?.message).toContain("- b\n+ c");
		world.fn = join(["a", "b"]);
		await world.crash();
		await world.send("control", 1);
		expect((await world.state()).log).toEqual(["a,b"]);
	});
});

everywhere((on) => {
	it("51. completed and failed workflows leave the actor callable, and are not entered again", async () => {
		let entered = 0;
		let fails = true;
		await using world = await World.start(async (ctx) => {
			entered++;
			await ctx.step("work", () => {
				ctx.state.n += 1;
				if (fails) throw new Error("no");
			});
			return "output";
		}, on);
		await world.advance(10_000);
		expect((await world.status()).state).toBe("failed");
		const before = entered;
		await world.nap();
		await world.send("work", 1);
		expect([(await world.state()).n, entered]).toEqual([4, before]);
		fails = false;
		await world.call("recover");
		await world.settle();
		expect(await world.status()).toMatchObject({ state: "completed", output: "output" });
		await world.nap();
		expect([(await world.state()).n, entered]).toEqual([5, before + 1]);
		await expect(world.call("recover")).rejects.toMatchObject({ code: "not_recoverable" });
	});

	it("10.4. recovers by itself with a new version of the code, once", async () => {
		let runs = 0;
		await using world = await World.start(
			(ctx) =>
				ctx.step({
					name: "s",
					maxRetries: 0,
					run: () => {
						runs++;
						throw new Error("no");
					},
				}),
			{ ...on, workflow: { recoverOnDeploy: true } },
		);
		const runsWith = async (version: number) => {
			world.codeVersion = version;
			await world.crash();
			await world.status();
			await world.settle();
			return runs;
		};
		expect([runs, await runsWith(1), await runsWith(2), await runsWith(2)]).toEqual([1, 1, 2, 2]);
	});

	it("52. cancel is final, gives messages back, and undoes unless that is not wanted", async () => {
		for (const rollback of [false, true, undefined]) {
			await using world = await World.start(async (ctx, { ledger }) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undo a") });
				await ctx.queue.next("open", { names: ["work"], completable: true });
				await ctx.step("hangs", () => new Promise(() => {}));
			}, on);
			await world.send("work", "m");
			await world.call("cancel", { rollback, reason: "enough" });
			await world.settle();
			expect((await world.status()).state).toBe("cancelled");
			expect(world.ledger).toEqual(rollback === false ? [] : ["undo a"]);
			expect(await world.call("take", "work")).toBe("m");
			await world.crash();
			expect((await world.status()).state).toBe("cancelled");
		}
	});

	it("52. a replay and an import are refused by a cancelled one: what it has undone would answer as if it were done", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({
				name: "book",
				run: () => void ledger.push("book"),
				rollback: () => void ledger.push("undo"),
			});
			await ctx.sleep("long", 1e7);
		}, on);
		const exported = await world.call("export");
		const [, book] = (await world.call<History>("history")).entries;
		await world.call("cancel");
		await eventually(async () => expect((await world.status()).state).toBe("cancelled"));
		for (const [operation, argument] of [
			["replay", undefined],
			["replay", { entryId: book!.id }],
			["import", exported],
		] as const) {
			await expect(world.call(operation, argument)).rejects.toMatchObject({
				group: "workflow",
				code: "not_replayable",
			});
		}
		expect([world.ledger, (await world.status()).state]).toEqual([["book", "undo"], "cancelled"]);
	});

	it("52. a cancelled one is undone wherever it was: in branches, asleep, paused, blocked", async () => {
		const undoable = (name: string, { ledger }: World) => ({
			name,
			run: () => {},
			rollback: () => void ledger.push(`undo ${name}`),
		});
		const scenes: Record<string, (world: World) => Promise<unknown>> = {
			live: async () => {},
			asleep: (world) => world.nap(),
			crashed: (world) => world.crash(),
			paused: (world) => world.call("pause"),
			blocked: async (world) => {
				const before = world.fn;
				world.fn = (ctx) =>
					(before(ctx) as Promise<unknown>).then(() => ctx.loop("a", () => 5 as never));
				await world.crash();
			},
		};
		for (const [scene, prepare] of Object.entries(scenes)) {
			await using world = await World.start(async (ctx, self) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.step(undoable("a", self));
				await ctx.loop("loop", async (loop) => {
					await loop.step(undoable("b", self));
					await loop.join("join", {
						quick: { run: (branch) => branch.step(undoable("c", self)) },
						slow: { run: (branch) => branch.queue.next("open", { names: ["control"] }) },
					});
				});
			}, on);
			await prepare(world);
			await world.call("cancel");
			await world.settle();
			expect([scene, (await world.status()).state]).toEqual([scene, "cancelled"]);
			expect([scene, world.ledger]).toEqual([scene, ["undo c", "undo b", "undo a"]]);
		}
	});

	it("52. cancelling one that is being undone leaves that alone, or ends it where it is", async () => {
		for (const rollback of [true, false]) {
			let isBroken = true;
			await using world = await World.start(async (ctx, { ledger }) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undo a") });
				await ctx.step({
					name: "b",
					maxRetries: 0,
					run: () => {},
					rollback: () => {
						if (isBroken) throw new Error("not yet");
						ledger.push("undo b");
					},
				});
				throw new Error("lost");
			}, on);
			expect((await world.status()).state).toBe("rolling_back");
			await world.call("cancel", { rollback });
			isBroken = false;
			await world.advance(2_000);
			expect((await world.status()).state).toBe(rollback ? "failed" : "cancelled");
			expect(world.ledger).toEqual(rollback ? ["undo b", "undo a"] : []);
		}
	});

	it("pauses and resumes, over restarts", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.loop("loop", async (loop) => {
				await loop.sleep("second", 1_000);
				await loop.step("tick", () => {
					ctx.state.n += 1;
				});
			});
		}, on);
		await world.advance(2_500);
		expect((await world.state()).n).toBe(2);
		await world.call("pause");
		await world.advance(5_000);
		await world.crash();
		await world.advance(5_000);
		expect([(await world.state()).n, (await world.status()).paused]).toEqual([2, true]);
		await world.call("resume");
		await world.advance(1_100);
		expect((await world.state()).n).toBeGreaterThanOrEqual(3);
	});

	it("destroys its actor from a step; nothing comes after it", async () => {
		const after: string[] = [];
		await using world = await World.start(async (ctx) => {
			await ctx.step("end", (c) => {
				c.destroy();
			});
			await ctx.step("after", () => void after.push("after"));
		}, on);
		await world.settle();
		await eventually(() => expect(world.isAwake).toBe(false));
		expect(after).toEqual([]);
	});

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

	it("55. onError hears of each failure once, over sleeps", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.step({ name: "s", maxRetries: 1, run: () => Promise.reject(new Error("no")) });
		}, on);
		await world.advance(1_000);
		await world.nap();
		await world.advance(1_000);
		await world.status();
		expect(world.errors.map((event) => Object.keys(event)[0])).toEqual([
			"step",
			"step",
			"workflow",
		]);
		expect(world.errors[0]).toMatchObject({
			step: { stepName: "s", attempt: 1, willRetry: true, remainingRetries: 1, retryDelay: 200 },
		});
	});
});

onMemory.describe("attacked", () => {
	it("rollback with code that has lost a step blocks, instead of leaving that step as it is", async () => {
		let isBroken = true;
		const program =
			(first: string | null, tell?: (ctx: Ctx) => Promise<void>) =>
			async (ctx: Ctx, { ledger }: World) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await tell?.(ctx);
				const undo = (name: string) => () => {
					if (isBroken) throw new Error("not yet");
					ledger.push(`undo ${name}`);
				};
				if (first !== null) {
					await ctx.step({ name: first, maxRetries: 0, run: () => {}, rollback: undo(first) });
				}
				await ctx.step({ name: "b", maxRetries: 0, run: () => {}, rollback: undo("b") });
				throw new Error("lost");
			};
		const deploys: Record<string, (world: World) => Promise<void>> = {
			"the old code": async (world) => {
				world.fn = (ctx) => program("a")(ctx, world);
				await world.crash();
			},
			"removed()": async (world) => {
				world.fn = (ctx) => program(null, (c) => c.removed("a", "step"))(ctx, world);
				await world.crash();
			},
			skipRollback: async (world) => {
				const { entries, entryMetadata } = await world.call<{
					entries: { id: string; kind: { tag: string } }[];
					entryMetadata: object;
				}>("history");
				expect(Object.keys(entryMetadata)).toHaveLength(entries.length);
				const [lost] = entries.filter(({ kind }) => kind.tag === "WorkflowStepEntry");
				await world.call("recover", { skipRollback: [lost!.id] });
			},
		};
		for (const [what, deploy] of Object.entries(deploys)) {
			isBroken = true;
			await using world = await World.start(program("a"));
			const { state, retryAt } = await world.call<{ state: string; retryAt: number }>("status");
			expect([state, retryAt > world.clock.now()]).toEqual(["rolling_back", true]);
			world.fn = (ctx) => program(null)(ctx, world);
			isBroken = false;
			await world.crash();
			const blocked = await world.status();
			expect([what, blocked.state, blocked.blocked]).toEqual([what, "rolling_back", true]);
			expect(blocked.error?.message).toMatch(/^Step "a" is to be undone, and the code does not/);
			expect(world.ledger).toEqual([]);
			await deploy(world);
			await world.settle();
			expect([what, (await world.status()).state]).toEqual([what, "failed"]);
			expect((await world.status()).error?.message).toBe("lost");
			expect([what, world.ledger]).toEqual([
				what,
				what === "the old code" ? ["undo b", "undo a"] : ["undo b"],
			]);
		}
	});

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

onMemory.describe("7.5. what is too large to be recorded", () => {
	const large = "x".repeat(2_000);
	const options = { workflow: { maxEntrySize: 1_000 } as never };
	const kinds: Record<string, (ctx: Ctx) => Promise<unknown>> = {
		step: (ctx) => ctx.step("big", () => large),
		"state of a loop": (ctx) =>
			ctx.loop({ name: "big", run: async () => Loop.continue(large as never) }),
		"value of a loop": (ctx) => ctx.loop("big", async () => Loop.break(large)),
		block: async (ctx) => {
			const { ok } = await ctx.try("big", async () => large);
			throw new Error(`not refused: ${ok}`);
		},
		branch: async (ctx) => {
			try {
				await ctx.join("big", { a: { run: async () => large } });
			} catch (error) {
				throw (error as JoinError).errors.a;
			}
		},
	};

	it.each(Object.entries(kinds))("is an error that code may catch: %s", async (what, big) => {
		const caught: unknown[] = [];
		await using world = await World.start(async (ctx) => {
			try {
				await big(ctx);
			} catch (error) {
				caught.push(error);
			}
			await ctx.queue.next("work", { names: ["work"] });
		}, options);
		await world.crash();
		await world.send("work");
		expect((await world.status()).state).toBe("completed");
		expect(caught).toHaveLength(2);
		for (const error of caught) {
			expect(error).toMatchObject({ group: "workflow", code: "entry_too_large" });
			const { message } = error as Error;
			expect(message).toMatch(/"big/);
			expect(message).toMatch(/ 1000\b.*maxEntrySize/);
			expect([what, message]).toEqual([what, (caught[0] as Error).message]);
		}
	});

	it("fails the workflow when nobody does, and undoes what was done", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undone") });
			await ctx.loop("big", async () => Loop.break(large));
		}, options);
		const { state, error } = await world.status();
		expect([state, error]).toMatchObject(["failed", { message: expect.stringMatching(/"big"/) }]);
		expect(world.ledger).toEqual(["undone"]);
	});

	it("is left out of what the workflow returned", async () => {
		await using world = await World.start(async () => large, options);
		expect(await world.status()).toMatchObject({ state: "completed" });
		expect((await world.status()).output).toBeUndefined();
	});
});

onMemory.it("has the contract's classes and codes (2.1, 2.2, 9.4)", async () => {
	let isContext: boolean[] = [];
	await using world = await World.start(async (ctx) => {
		const seen = [ctx instanceof ActorWorkflowContext];
		await ctx.loop("l", async (loop) => {
			seen.push(loop instanceof ActorWorkflowContext);
			return Loop.break();
		});
		isContext = seen;
	});
	await eventually(async () => expect((await world.status()).state).toBe("completed"));
	expect(isContext).toEqual([true, true]);
	const codes = [
		new StepExhaustedError("s"),
		new HistoryDivergedError(""),
		new EntryInProgressError(),
		new QueueTimeoutError("q"),
		new StepTimeoutError("s", 1),
		new RollbackCheckpointError(),
		new StepFailedError(""),
		new SleepError(""),
		new MessageWaitError(""),
		new EvictedError(""),
		new CancelledError(""),
	].map(({ group, code }) => `${group}.${code}`);
	expect(codes).toEqual([
		"workflow.step_exhausted",
		"workflow.history_diverged",
		"workflow.entry_in_progress",
		"workflow.queue_timeout",
		"workflow.step_timeout",
		"workflow.rollback_checkpoint",
		"workflow.step_failed",
		"workflow.sleep",
		"workflow.message_wait",
		"workflow.evicted",
		"workflow.cancelled",
	]);
	class OutOfStock extends CriticalError {
		override readonly code = "out_of_stock";
	}
	expect(new OutOfStock("none").code).toBe("out_of_stock");
	const own = Object.assign(new CriticalError("none"), { code: "none_left" });
	expect(reviveError(storeError(own))).toMatchObject({ group: "workflow", code: "none_left" });
	expect(new CriticalError("next").code).toBe("critical");
});
