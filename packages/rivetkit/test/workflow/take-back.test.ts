// What replay and recover take back goes where it came from: messages to their places, undone work to be done again.
import { createMemoryStore, type Store } from "@rivetkit/engine";
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

interface Shown {
	readonly nameRegistry: string[];
	readonly entries: { readonly id: string; readonly location: { readonly val: number }[] }[];
}

/** The id of the entry at the root with this name. */
async function idOf(world: World, name: string): Promise<string> {
	const { nameRegistry, entries } = await world.call<Shown>("history");
	const found = entries.find(
		({ location }) => location.length === 1 && nameRegistry[location[0]!.val] === name,
	);
	return found!.id;
}

async function replayFrom(world: World, name: string): Promise<void> {
	await world.call("replay", { entryId: await idOf(world, name) });
	await world.settle();
}

everywhere((on) => {
	const threeMessages = async (ctx: Ctx) => {
		await ctx.queue.next("go", { names: ["control"] });
		await ctx.step("from", () => {});
		const got: string[] = [];
		for (const n of [1, 2, 3]) {
			const { body, attempt } = await ctx.queue.next(`m${n}`, { names: ["work"] });
			got.push(`${body} ${attempt}`);
		}
		await ctx.step("note", () => void ctx.state.log.push(got.join()));
		await ctx.queue.next("end", { names: ["control"] });
	};
	const sendThree = async (world: World) => {
		await world.call("put", "work", "usual", {});
		await world.call("put", "work", "urgent", { priority: 5 });
		await world.call("put", "work", "mortal", { ttl: 60_000 });
		await world.send("control");
	};

	it("54. a replay gives back what was received after its step, in the same commit", async () => {
		await using world = await World.start(threeMessages, on);
		await sendThree(world);
		const once = "urgent 1,usual 1,mortal 1";
		expect((await world.state()).log).toEqual([once]);
		for (const start of ["resident", "cold"]) {
			if (start === "cold") await world.crash();
			(world.store.commits as unknown[]).length = 0;
			await replayFrom(world, "from");
			const { log } = await world.state();
			expect([start, log.at(-1)]).toEqual([start, once]);
			expect(await world.call("size")).toBe(0);
			const taken = world.store.commits.filter(({ ops }) =>
				ops.some((op) => op.op === "deleteRange" && op.start[0] === 0x14),
			);
			const returned = taken.map(
				({ ops }) =>
					ops.filter(({ op, ...at }) => op === "put" && isHeader((at as { key: Uint8Array }).key))
						.length,
			);
			expect([start, returned]).toEqual([start, [3]]);
		}
		expect((await world.state()).log).toHaveLength(3);
	});

	it("54. a message whose time to live is over by then does not come again, which the log says", async () => {
		await using world = await World.start(threeMessages, on);
		await sendThree(world);
		await world.advance(61_000);
		await replayFrom(world, "from");
		const warned = world.runtime.log.filter(({ message }) => message.includes("time to live"));
		expect(warned.map(({ level, fields }) => [level, fields.queue])).toEqual([["warn", "work"]]);
		expect((await world.state()).log).toHaveLength(1);
		expect((await world.status()).waitingFor).toMatchObject([{ path: "m3" }]);
		expect(await world.call("size")).toBe(0);
	});

	it("54. a replay of everything gives back all that is recorded", async () => {
		await using world = await World.start(threeMessages, on);
		await sendThree(world);
		await world.call("replay");
		await world.settle();
		expect((await world.state()).log).toHaveLength(2);
		expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
	});

	it("54. what was sent between entries and received comes once again, also with a dedupe key", async () => {
		for (const options of [undefined, { dedupeKey: "key" }]) {
			await using world = await World.start(async (ctx) => {
				await ctx.step("from", () => {});
				await ctx.queue.send("work", "own", options);
				const { body } = await ctx.queue.next("m", { names: ["work"] });
				await ctx.step("note", () => void ctx.state.log.push(String(body)));
				await ctx.queue.next("end", { names: ["control"] });
			}, on);
			await eventually(async () => expect((await world.state()).log).toEqual(["own"]));
			await replayFrom(world, "from");
			await eventually(async () => expect((await world.state()).log).toEqual(["own", "own"]));
			expect(await world.call("size")).toBe(0);
		}
	});

	it("54. what a step sent and an entry received comes once again, also with a dedupe key", async () => {
		for (const options of [undefined, { dedupeKey: "key" }]) {
			await using world = await World.start(async (ctx) => {
				await ctx.step("from", (c) => c.queue.send("work", "own", options));
				const { body } = await ctx.queue.next("m", { names: ["work"] });
				await ctx.step("note", () => void ctx.state.log.push(String(body)));
				await ctx.queue.next("end", { names: ["control"] });
			}, on);
			await eventually(async () => expect((await world.state()).log).toEqual(["own"]));
			await replayFrom(world, "from");
			await eventually(async () => expect((await world.state()).log).toEqual(["own", "own"]));
			expect(await world.call("size")).toBe(0);
		}
	});

	it("54. what is sent again does not stay as well: not taken yet, delayed, or open in the workflow", async () => {
		for (const sender of ["a step", "code between entries"]) {
			await using world = await World.start(async (ctx) => {
				const send = async ({ queue }: Pick<Ctx, "queue">) => {
					await queue.send("work", "open");
					await queue.send("out", "not taken");
					await queue.send("out", "delayed", { delay: 1e6 });
				};
				await ctx.step("from", async (c) => {
					if (sender === "a step") await send(c as never);
				});
				if (sender !== "a step") await send(ctx);
				const open = await ctx.queue.next("open", { names: ["work"], completable: true });
				await ctx.step("note", () => void ctx.state.log.push(`${open.body} ${open.attempt}`));
				await ctx.queue.next("go", { names: ["control"], allowOpen: true });
				await open.complete();
			}, on);
			const noted = async () => (await world.state()).log;
			await eventually(async () => expect(await noted()).toEqual(["open 1"]));
			await world.call("put", "out", "of others", {});
			for (const start of ["resident", "cold"]) {
				if (start === "cold") await world.crash();
				(world.store.commits as unknown[]).length = 0;
				const before = (await noted()).length;
				await replayFrom(world, "from");
				await eventually(async () => expect(await noted()).toHaveLength(before + 1));
				expect([sender, start, (await noted()).at(-1)]).toEqual([sender, start, "open 1"]);
				expect([await world.call("size", "work"), await world.call("size", "out")]).toEqual([1, 3]);
				// All three left in the commit that took the records back.
				const left = world.store.commits
					.filter(({ ops }) => ops.some((op) => op.op === "deleteRange" && op.start[0] === 0x14))
					.map(({ ops }) => ops.filter((op) => op.op === "delete" && isHeader(op.key)).length);
				expect([sender, start, left]).toEqual([sender, start, [3]]);
			}
			await world.send("control");
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			expect(await world.call("size", "work")).toBe(0);
			const taken = [await world.call("take", "out"), await world.call("take", "out")];
			expect(taken).toEqual(["of others", "not taken"]);
		}
	});

	it("54. what a step sent and somebody else has received is theirs; it is sent again", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.step("from", (c) => c.queue.send("out", "theirs"));
			await ctx.queue.next("end", { names: ["control"] });
		}, on);
		expect(await world.call("take", "out")).toBe("theirs");
		await replayFrom(world, "from");
		await eventually(async () => expect(await world.call("size", "out")).toBe(1));
		expect(await world.call("take", "out")).toBe("theirs");
	});

	it("54. what a step sent and an entry holds that stays is that entry's; it is sent again", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.join("j", {
				holds: {
					run: async (b) => {
						const { complete } = await b.queue.next("m", { names: ["work"], completable: true });
						await b.queue.next("go", { names: ["control"], allowOpen: true });
						await complete?.();
					},
				},
				sends: { run: (b) => b.step("from", (c) => void c.queue.send("work", "m")) },
			});
		}, on);
		await eventually(async () => expect(await world.call("size", "work")).toBe(1));
		const { nameRegistry, entries } = await world.call<Shown>("history");
		const step = entries.find(({ location }) => nameRegistry[location.at(-1)!.val] === "from");
		await world.call("replay", { entryId: step!.id });
		await eventually(async () => expect(await world.call("size", "work")).toBe(2));
		await world.send("control");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(await world.call("size", "work")).toBe(1);
		expect(await world.call("take", "work")).toBe("m");
	});

	it("54. a message that the records taken back had before stays with the entry that has it now and stays", async () => {
		let gate: Gate | undefined;
		await using world = await World.start(async (ctx) => {
			await ctx.join("j", {
				had: {
					run: async (b) => {
						await b.queue.next("start", { names: ["out"] });
						await b.step("from", () => {});
						const wait = { names: ["work"], completable: true, timeout: 1e6 } as const;
						const [m] = await b.queue.nextBatch("m", wait);
						await b.step("had", () => void ctx.state.log.push(`had ${m!.body} ${m!.attempt}`));
					},
				},
				has: {
					run: async (b) => {
						// It begins to wait before the other, and comes to it after that, from records.
						await gate?.passed;
						const wait = { names: ["work"], completable: true, timeout: 1e6 } as const;
						const [m] = await b.queue.nextBatch("m", wait);
						await b.queue.next("go", { names: ["control"], allowOpen: true });
						await m!.complete();
						await b.step("has", () => void ctx.state.log.push(`has ${m!.body} ${m!.attempt}`));
					},
				},
			});
		}, on);
		await world.send("out");
		gate = new Gate();
		await world.crash();
		await world.send("work", "m");
		await eventually(async () => expect((await world.state()).log).toEqual(["had m 1"]));
		gate.open();
		const waits = async () => (await world.status()).waitingFor.map(({ path }) => path);
		await eventually(async () => expect(await waits()).toEqual(["j/has/go"]));
		const { nameRegistry, entries } = await world.call<Shown>("history");
		const step = entries.find(({ location }) => nameRegistry[location.at(-1)!.val] === "from");
		await world.call("replay", { entryId: step!.id });
		await world.settle();
		await world.send("control");
		await world.send("work", "next");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect((await world.state()).log).toEqual(["had m 1", "has m 2", "had next 1"]);
		// The next one went back, too, and nobody was there for it.
		expect(await world.call("size")).toBe(1);
	});

	it("54. a replay of what was imported leaves alone what this actor has under the same ids", async () => {
		const fn = async (ctx: Ctx) => {
			await ctx.queue.send("out", 1);
			await ctx.step("send", async (c) => {
				for (const body of [2, 3]) await c.queue.send("out", body);
			});
			const go = await ctx.queue.next("go", { names: ["control"] });
			const { body } = await ctx.queue.next("m", { names: ["work"] });
			await ctx.step("note", () => void ctx.state.log.push(`${go.body} ${body}`));
			await ctx.queue.next("end", { names: ["control"] });
		};
		await using world = await World.start(fn, on);
		await eventually(async () => expect(await world.call("size", "out")).toBe(3));
		const exported = await world.call("export");
		// It has sent nothing of its own before.
		world.fn = (ctx) => ctx.queue.next("nothing", { names: ["control"] });
		world.id = await world.runtime.actorId("subject", "/copy");
		await world.settle();
		world.fn = (ctx) => fn(ctx);
		await world.call("import", exported);
		await world.settle();
		await world.call("put", "out", "kept", {});
		await world.send("control", "go");
		await world.send("work", "on");
		await eventually(async () => expect((await world.state()).log).toEqual(["go on"]));
		await world.call("replay");
		await eventually(async () => expect((await world.state()).log).toEqual(["go on", "go on"]));
		expect(await world.call("size")).toBe(4);
		expect(await world.call("take", "out")).toBe("kept");
	});

	it("54. a message that a loser gave back is not given back again", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step("from", () => {});
			await ctx.race("race", [
				{
					name: "loser",
					run: async (b) => {
						// Its records are kept, for a rollback.
						await b.step({ name: "s", run: () => {}, rollback: () => void ledger.push("undo") });
						await b.queue.next("m", { names: ["work"] });
						await b.sleep("long", 1e7);
					},
				},
				{ name: "winner", run: (b) => b.sleep("short", 50) },
			]);
			const { body } = await ctx.queue.next("again", { names: ["work"] });
			await ctx.step("note", () => void ctx.state.log.push(String(body)));
			await ctx.queue.next("end", { names: ["control"] });
		}, on);
		await world.send("work", "m");
		await world.advance(100);
		expect((await world.state()).log).toEqual(["m"]);
		await replayFrom(world, "from");
		await world.advance(100);
		expect((await world.state()).log).toEqual(["m", "m"]);
		expect([await world.call("size"), (await world.status()).waitingFor[0]?.path]).toEqual([
			0,
			"end",
		]);
	});

	it("39. a loser's message keeps its priority and its time to live over a cold start", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.sleep("until all are there", 10);
			await ctx.race("first", [
				{
					name: "taker",
					run: async (b) => {
						await b.queue.nextBatch("m", { names: ["work"], count: 2 });
						await b.sleep("long", 1_000_000);
					},
				},
				{ name: "timer", run: (b) => b.sleep("t", 100) },
			]);
			const [first] = await ctx.queue.nextBatch("next", { names: ["work"] });
			await ctx.sleep("over its time to live", 5_000);
			const rest = await ctx.queue.nextBatch("rest", { names: ["work"], count: 9, timeout: 0 });
			const told = [first!, ...rest].map(({ body, attempt }) => `${body} ${attempt}`);
			await ctx.step("note", () => void ctx.state.log.push(...told));
		}, on);
		await world.call("put", "work", "mortal", { priority: 1, ttl: 3_000 });
		await world.call("put", "work", "usual", {});
		await world.call("put", "work", "urgent", { priority: 2 });
		await world.advance(50);
		expect(await world.call("size")).toBe(1);
		await world.crash();
		await world.advance(10_000);
		expect((await world.state()).log).toEqual(["urgent 1", "usual 1"]);
	});

	it("51. recover has a failed join go on: finished branches answer, and no message is lost", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			const joined = await ctx.join("join", {
				good: {
					run: async (b) => {
						const { body } = await b.queue.next("m", { names: ["work"] });
						await b.step("use", () => void ledger.push(`good ${body}`));
						return body;
					},
				},
				bad: {
					run: async (b) => {
						const { body } = await b.queue.next("m", { names: ["control"] });
						await b.step("before", () => void ledger.push(`before ${body}`));
						await b.step({
							name: "use",
							maxRetries: 0,
							run: () => {
								if (isBroken) throw new Error("broken");
								ledger.push(`bad ${body}`);
							},
						});
						return body;
					},
				},
			});
			await ctx.step("note", () => void ctx.state.log.push(JSON.stringify(joined)));
		}, on);
		await world.send("work", 1);
		await world.send("control", 2);
		expect((await world.status()).state).toBe("failed");
		await world.crash();
		isBroken = false;
		await world.call("recover");
		await world.settle();
		expect((await world.status()).state).toBe("completed");
		expect((await world.state()).log).toEqual([JSON.stringify({ good: 1, bad: 2 })]);
		expect(world.ledger).toEqual(["good 1", "before 2", "bad 2"]);
		expect(await world.call("size")).toBe(0);
		// The join and the note: what the branches did is in the join.
		expect(await world.entryCount()).toBe(2);
	});

	it("51. recover has a cancelled branch wait again for the message it gave back", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx) => {
			const joined = await ctx.join("join", {
				taker: {
					run: async (b) => {
						const { body } = await b.queue.next("m", { names: ["work"] });
						await b.sleep("pause", 1_000);
						return body;
					},
				},
				bad: {
					run: async (b) => {
						await b.sleep("a while", 100);
						if (isBroken) throw new Error("broken");
					},
					onError: "cancel",
				},
			});
			await ctx.step("note", () => void ctx.state.log.push(String(joined.taker)));
		}, on);
		await world.send("work", "m");
		await world.advance(200);
		expect([(await world.status()).state, await world.call("size")]).toEqual(["failed", 1]);
		isBroken = false;
		await world.call("recover");
		await world.advance(2_000);
		expect((await world.status()).state).toBe("completed");
		expect([(await world.state()).log, await world.call("size")]).toEqual([["m"], 0]);
	});

	it("51. recover begins a cancelled branch's loop anew, whose messages of earlier iterations went back", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx) => {
			const joined = await ctx.join("join", {
				counter: {
					run: (b) =>
						b.loop({
							name: "loop",
							state: [] as string[],
							run: async (loop, seen) => {
								const { body } = await loop.queue.next("m", { names: ["work"] });
								const all = [...seen, String(body)];
								return body === "last" ? Loop.break(all) : Loop.continue(all);
							},
						}),
				},
				bad: {
					run: async (b) => {
						await b.sleep("a while", 100);
						if (isBroken) throw new Error("broken");
					},
					onError: "cancel",
				},
			});
			await ctx.step("note", () => void ctx.state.log.push(String(joined.counter)));
		}, on);
		for (const body of ["a", "b"]) await world.send("work", body);
		await world.advance(200);
		expect((await world.status()).state).toBe("failed");
		isBroken = false;
		await world.call("recover");
		await world.settle();
		await world.send("work", "last");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect((await world.state()).log).toEqual(["a,b,last"]);
		expect(await world.call("size")).toBe(0);
	});

	it("51. recover has past iterations stay, also one whose join was given up with its messages", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				historyKeep: 9,
				run: async (loop, n) => {
					await loop.step("begin", () => void ledger.push(`begin ${n}`));
					if (n === 0) {
						const taker = (b: Ctx) =>
							b.queue.next("m", { names: ["work"] }).then(() => b.sleep("long", 1e7));
						const fails = (b: Ctx) =>
							b.sleep("a while", 50).then(() => Promise.reject(new Error("no")));
						await loop
							.join("join", { taker: { run: taker }, fails: { run: fails, onError: "cancel" } })
							.catch(() => {});
						return Loop.continue(1);
					}
					const { body } = await loop.queue.next("m", { names: ["work"] });
					await loop.step({
						name: "use",
						maxRetries: 0,
						run: () => {
							if (isBroken) throw new Error("broken");
							ledger.push(`use ${body}`);
						},
					});
					return Loop.break();
				},
			});
		}, on);
		await world.send("work", "m");
		await world.advance(100);
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		const before = await world.call<Shown>("history");
		isBroken = false;
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(world.ledger).toEqual(["begin 0", "begin 1", "use m"]);
		const after = await world.call<Shown>("history");
		const idsOf = ({ entries }: Shown) => entries.map(({ id }) => id);
		expect(idsOf(after)).toEqual(expect.arrayContaining(idsOf(before)));
	});

	it("51. recover has a race go on in which all have failed", async () => {
		let isBroken = true;
		const branch = (name: "work" | "control") => ({
			name,
			run: async (b: Ctx) => {
				const { body } = await b.queue.next("m", { names: [name] });
				return b.step({
					name: "use",
					maxRetries: 0,
					run: () => {
						if (isBroken) throw new Error("broken");
						return String(body);
					},
				});
			},
		});
		await using world = await World.start(async (ctx) => {
			const won = await ctx.race("race", [branch("work"), branch("control")]);
			await ctx.step("note", () => void ctx.state.log.push(won.value));
		}, on);
		await world.send("work", "a");
		await world.send("control", "b");
		expect(await world.status()).toMatchObject({ state: "failed", error: { name: "RaceError" } });
		isBroken = false;
		await world.call("recover");
		await world.settle();
		expect((await world.status()).state).toBe("completed");
		// Whichever was read first: both go on.
		expect([["a"], ["b"]]).toContainEqual((await world.state()).log);
	});

	it("51. recover does again what was undone, inside of what had ended too", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			const undoable = (name: string) => ({
				name,
				run: (c: { state: { log: string[] } }) => {
					ledger.push(`do ${name}`);
					c.state.log.push(name);
				},
				rollback: (c: { state: { log: string[] } }) => {
					ledger.push(`undo ${name}`);
					c.state.log = c.state.log.filter((one) => one !== name);
				},
			});
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step(undoable("root"));
			await ctx.join("join", { a: { run: (b) => b.step(undoable("branch")) } });
			await ctx.try("block", (b) => b.step(undoable("block")));
			await ctx.loop({
				name: "loop",
				state: 0,
				historyKeep: 0,
				run: async (loop, n) => {
					const { body } = await loop.queue.next("m", { names: ["work"] });
					await loop.step(undoable(`order ${body}`));
					if (n === 1) {
						await loop.step({
							name: "fails",
							maxRetries: 0,
							run: () => {
								if (isBroken) throw new Error("broken");
							},
						});
					}
					return n === 1 ? Loop.break() : Loop.continue(n + 1);
				},
			});
		}, on);
		await world.send("work", "x");
		await world.send("work", "y");
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		expect((await world.state()).log).toEqual([]);
		isBroken = false;
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		const all = ["root", "branch", "block", "order x", "order y"];
		expect((await world.state()).log).toEqual(all);
		const done = all.map((name) => `do ${name}`);
		const undone = all.map((name) => `undo ${name}`).reverse();
		expect(world.ledger).toEqual([...done, ...undone, ...done]);
	});

	it("long loops of joins, races, blocks and sends have no more live entries than an iteration", async () => {
		await using world = await World.start(
			async (ctx) => {
				await ctx.loop({
					name: "loop",
					state: 0,
					historyKeep: 0,
					run: async (loop, n) => {
						await loop.race("race", [
							{ name: "quick", run: (b) => b.step({ name: "s", ephemeral: true, run: () => {} }) },
							{ name: "slow", run: (b) => b.sleep("s", 1e9) },
						]);
						await loop
							.join("join", {
								good: { run: (b) => b.step({ name: "s", ephemeral: true, run: () => {} }) },
								bad: {
									run: async (b) => {
										await b.step({ name: "s", ephemeral: true, run: () => {} });
										throw new Error("no");
									},
								},
							})
							.catch(() => {});
						await loop.try("try", async (b) => {
							await b.loop("inner", async (it) => {
								await it.tryStep({ name: "s", ephemeral: true, run: () => {} });
								await it.join("none", { bad: { run: () => Promise.reject(new Error("no")) } });
							});
						});
						await loop.queue.send("out", n);
						await ctx.actorId;
						return n === 29 ? Loop.break() : Loop.continue(n + 1);
					},
				});
			},
			{ ...on, workflow: { maxLiveEntries: 40 } as never },
		);
		await eventually(async () =>
			expect(await world.status()).toMatchObject({ state: "completed", blocked: false }),
		);
	});
});

/** Whether a key is that of a message's header in the queue. */
function isHeader(key: Uint8Array): boolean {
	return key[0] === 0x05 && key[1] === 0x01;
}

/** A store whose scans take long while the gate is closed. */
class SlowReads {
	readonly store: Store;
	readonly answers = new Gate();
	scans = 0;
	isSlow = false;

	constructor() {
		const inner = createMemoryStore();
		this.store = new Proxy(inner, {
			get: (target, property) => {
				const member: unknown = Reflect.get(target, property);
				if (property === "scan" && this.isSlow) {
					return async (...args: Parameters<Store["scan"]>) => {
						const found = await inner.scan(...args);
						this.scans++;
						await this.answers.passed;
						return found;
					};
				}
				return typeof member === "function" ? member.bind(target) : member;
			},
		});
	}
}

onMemory.it(
	"54. what is recorded while a replay reads the history is taken back as well",
	async () => {
		const reads = new SlowReads();
		await using world = await World.start(
			async (ctx, { ledger }) => {
				await ctx.step("from", () => void ledger.push("from"));
				const { body } = await ctx.queue.next("m", { names: ["work"] });
				await ctx.step("use", () => void ledger.push(`use ${body}`));
				await ctx.queue.next("end", { names: ["control"] });
			},
			{ store: reads.store },
		);
		const entryId = await idOf(world, "from");
		reads.isSlow = true;
		const replayed = world.call("replay", { entryId });
		await eventually(() => expect(reads.scans).toBe(1));
		void world.send("work", "m");
		await eventually(() => expect(world.ledger).toEqual(["from", "use m"]));
		reads.answers.open();
		await replayed;
		await eventually(() => expect(world.ledger).toEqual(["from", "use m", "from", "use m"]));
		await world.settle();
		expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
		expect(await world.call("size")).toBe(0);
	},
);

onMemory.it("51. of two recoveries at once, one is refused", async () => {
	const reads = new SlowReads();
	let isBroken = true;
	await using world = await World.start(
		async (ctx, { ledger }) => {
			await ctx.step({
				name: "s",
				maxRetries: 0,
				run: () => {
					ledger.push("run");
					if (isBroken) throw new Error("broken");
				},
			});
			await ctx.queue.next("end");
		},
		{ store: reads.store },
	);
	isBroken = false;
	reads.isSlow = true;
	const both = Promise.allSettled([world.call("recover"), world.call("recover")]);
	await eventually(() => expect(reads.scans).toBe(2));
	reads.answers.open();
	expect((await both).map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
	await world.settle();
	expect(world.ledger).toEqual(["run", "run"]);
	expect((await world.status()).state).toBe("sleeping");
});

onMemory.it(
	"39. a message that was received and given back in a commit that fails is still there",
	async () => {
		const disk = new WrappedStore();
		const next = (name: "work" | "control") => ({
			name,
			run: async (b: Ctx) => (await b.queue.next("m", { names: [name] })).body as string,
		});
		await using world = await World.start(
			async (ctx) => {
				await ctx.sleep("until both are there", 100);
				for (const round of ["first", "second"]) {
					const won = await ctx.race(round, [next("work"), next("control")]);
					await ctx.step(`note ${round}`, () => void ctx.state.log.push(won.value));
				}
			},
			{ store: disk.store },
		);
		await world.send("work", "a");
		await world.send("control", "b");
		// While a commit is under way that fails, both are received, and one is given back.
		disk.failNext();
		const release = disk.hold();
		const other = world.call("other");
		other.catch(() => {});
		for (const ms of [100, 10, 10]) await world.clock.advance(ms);
		expect(world.runtime.embedded.host.activity).toBe("committing");
		release();
		await expect(other).rejects.toBeDefined();
		// The run begins again a moment later.
		expect(await world.call("size")).toBe(2);
		await world.advance(20_000);
		await eventually(async () => expect((await world.state()).log.sort()).toEqual(["a", "b"]));
		expect(await world.call("size")).toBe(0);
	},
);
