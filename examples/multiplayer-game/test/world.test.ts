import { expect, it } from "vitest";
import { apply, DIRECTIONS, type Direction, type Input, newWorld, step } from "../src/world.ts";

/** Inputs of some players who come, steer about and go, by tick. */
function game(ticks: number): Input[][] {
	let chance = 12_345;
	const next = (limit: number) => {
		chance = (Math.imul(chance, 1_103_515_245) + 12_345) >>> 0;
		return (chance >>> 8) % limit;
	};
	const directions = Object.keys(DIRECTIONS) as Direction[];
	return Array.from({ length: ticks }, () =>
		Array.from({ length: next(3) }, (): Input => {
			const id = `player ${next(5)}`;
			const kind = next(10);
			if (kind === 0) return { kind: "leave", id };
			if (kind === 1) return { kind: "join", id, name: id };
			return { kind: "steer", id, direction: directions[next(directions.length)] ?? "stay" };
		}),
	);
}

it("is the same game again from the same inputs, and another one from another seed", () => {
	const inputs = game(2_000);
	const play = (seed: number) => {
		const world = newWorld(seed);
		for (const tick of inputs) step(world, tick);
		return world;
	};
	expect(play(1)).toEqual(play(1));
	expect(play(1).gems).not.toEqual(play(2).gems);
	expect(Object.values(play(1).scores).reduce((sum, score) => sum + score, 0)).toBeGreaterThan(5);
});

it("goes on the same way from a stored world", () => {
	const inputs = game(1_000);
	const straight = newWorld(7);
	for (const tick of inputs) step(straight, tick);
	let resumed = newWorld(7);
	for (const [index, tick] of inputs.entries()) {
		if (index % 100 === 0) resumed = JSON.parse(JSON.stringify(resumed));
		step(resumed, tick);
	}
	expect(resumed).toEqual(straight);
});

it("is told by a snapshot and the deltas after it, and a missing delta is noticed", () => {
	const world = newWorld(3);
	const inputs = game(600);
	for (const tick of inputs.slice(0, 200)) step(world, tick);
	const copy = structuredClone(world);
	const deltas = inputs.slice(200).map((tick) => step(world, tick));
	expect(apply(structuredClone(copy), deltas[1]!)).toBe(false);
	// What a client has already, it may get again.
	for (const delta of deltas)
		expect([apply(copy, delta), apply(copy, delta)]).toEqual([true, true]);
	const { tick, players, gems, scores } = world;
	expect(copy).toMatchObject({ tick, players, gems, scores });
});
