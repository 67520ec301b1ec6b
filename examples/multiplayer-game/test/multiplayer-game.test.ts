import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { registry } from "../src/registry.ts";
import { apply, type Delta, type Direction, type World } from "../src/world.ts";

const server = exampleServer(join(import.meta.dirname, ".."));
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

/** A player with a copy of the world, as the page has one. */
async function play(name: string, arena: string) {
	const connection = client.arena.getOrCreate([arena], { params: { name } }).connect();
	let world: World | null = null;
	let missed = 0;
	const early: Delta[] = [];
	connection.on("delta", (delta) => {
		if (!world) early.push(delta);
		else if (!apply(world, delta)) missed += 1;
	});
	const seen = await connection.snapshot();
	world = seen.world;
	for (const delta of early) apply(world, delta);
	const copy = () => world as World;
	const self = () => copy().players[seen.me];
	await eventually(() => expect(self()).toBeDefined());
	return { connection, me: seen.me, copy, self, missed: () => missed };
}

type Playing = Awaited<ReturnType<typeof play>>;

/** Steers to a gem, and resolves when it is taken. */
async function takeGem(player: Playing, name: string): Promise<void> {
	const scoreBefore = player.copy().scores[name] ?? 0;
	let last: Direction = "stay";
	await eventually(async () => {
		const self = player.self()!;
		const [gem] = Object.values(player.copy().gems).sort(
			(a, b) => distance(a, self) - distance(b, self),
		);
		const direction = towards(self, gem!);
		if (direction !== last) await player.connection.steer(direction);
		last = direction;
		expect(player.copy().scores[name] ?? 0).toBeGreaterThan(scoreBefore);
	});
}

type Square = { readonly x: number; readonly y: number };
const distance = (a: Square, b: Square) => Math.abs(a.x - b.x) + Math.abs(a.y - b.y);
function towards(from: Square, to: Square): Direction {
	if (from.x !== to.x) return from.x < to.x ? "right" : "left";
	return from.y < to.y ? "down" : "up";
}

it("shows everybody the same world, tick by tick, and who leaves is gone", async () => {
	const [ada, grace] = [await play("Ada", "same"), await play("Grace", "same")];
	await takeGem(ada, "Ada");
	await eventually(() => expect(grace.copy().scores.Ada).toBeGreaterThan(0));
	// What the server has is what came by deltas; the next delta may come right behind the answer.
	await eventually(async () => {
		const { world } = await ada.connection.snapshot();
		const { tick, players, gems } = world;
		expect(ada.copy()).toMatchObject({ tick, players, gems });
	});
	expect([ada.missed(), grace.missed()]).toEqual([0, 0]);
	await expect(ada.connection.steer("away" as Direction)).rejects.toMatchObject({
		code: "direction",
	});
	await ada.connection.dispose();
	await eventually(() => expect(Object.keys(grace.copy().players)).toEqual([grace.me]));
	await grace.connection.dispose();
});

it("goes on after kill -9 with its scores, and without those who did not come back", async () => {
	const ada = await play("Ada", "crash");
	await takeGem(ada, "Ada");
	const score = ada.copy().scores.Ada;
	await server.stop("SIGKILL");
	await ada.connection.dispose();
	await server.start();
	const grace = await play("Grace", "crash");
	expect(grace.copy().scores.Ada).toBe(score);
	await eventually(() => expect(Object.keys(grace.copy().players)).toEqual([grace.me]));
	await grace.connection.dispose();
});

it("stands still when nobody plays", async () => {
	const ada = await play("Ada", "still");
	await ada.connection.dispose();
	const handle = client.arena.getOrCreate(["still"], { params: { name: "Watcher" } });
	let tick = -1;
	await eventually(async () => {
		const before = tick;
		({ tick } = (await handle.snapshot()).world);
		await new Promise((resolve) => setTimeout(resolve, 120));
		expect(tick).toBe(before);
	});
});
