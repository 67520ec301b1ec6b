// Conformance checks of workflows 15: changed code (46 to 50).
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

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

onMemory.it(
	"3.8.6. a rollback with code that has lost a step blocks, instead of leaving that step as it is",
	async () => {
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
	},
);
