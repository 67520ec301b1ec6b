/** The game without its network. The same inputs at the same ticks make the same game: all numbers are whole, and chance is part of the world. */

export const WIDTH = 32;
export const HEIGHT = 18;
export const TICKS_PER_SECOND = 20;
/** Ticks that a player takes from one square to the next. */
const TICKS_PER_STEP = 3;
const GEMS = 12;
/** Names on the board of scores; who has least goes first. */
const SCORES_MAX = 50;

export const DIRECTIONS = {
	stay: [0, 0],
	up: [0, -1],
	down: [0, 1],
	left: [-1, 0],
	right: [1, 0],
} as const;
export type Direction = keyof typeof DIRECTIONS;

export interface Player {
	readonly id: string;
	readonly name: string;
	readonly x: number;
	readonly y: number;
	readonly direction: Direction;
}

export interface Gem {
	readonly id: number;
	readonly x: number;
	readonly y: number;
}

export interface World {
	tick: number;
	/** Of the next random number. */
	seed: number;
	lastGem: number;
	players: Record<string, Player>;
	gems: Record<string, Gem>;
	/** By name: they stay when their player leaves. */
	scores: Record<string, number>;
}

export type Input =
	| { readonly kind: "join"; readonly id: string; readonly name: string }
	| { readonly kind: "leave"; readonly id: string }
	| { readonly kind: "steer"; readonly id: string; readonly direction: Direction };

/** What one tick changed. */
export interface Delta {
	readonly tick: number;
	readonly players: Player[];
	readonly left: string[];
	readonly gems: Gem[];
	readonly taken: number[];
	readonly scores: [name: string, score: number][];
}

export function newWorld(seed: number): World {
	const world = { tick: 0, seed, lastGem: 0, players: {}, gems: {}, scores: {} };
	for (let count = 0; count < GEMS; count++) addGem(world);
	return world;
}

/** One tick: first the inputs in their order, then everybody moves, by id. */
export function step(world: World, inputs: readonly Input[]): Delta {
	world.tick += 1;
	const changed = new Set<string>();
	const left: string[] = [];
	for (const input of inputs) {
		if (input.kind === "join") {
			const { id, name } = input;
			const { x, y } = randomSquare(world);
			world.players[id] = { id, name, x, y, direction: "stay" };
			changed.add(id);
		} else if (input.kind === "leave") {
			if (!(input.id in world.players)) continue;
			delete world.players[input.id];
			changed.delete(input.id);
			left.push(input.id);
		} else {
			const player = world.players[input.id];
			if (!player) continue;
			world.players[input.id] = { ...player, direction: input.direction };
			changed.add(input.id);
		}
	}

	const gems: Gem[] = [];
	const taken: number[] = [];
	const scores = new Map<string, number>();
	const moves = world.tick % TICKS_PER_STEP === 0 ? Object.keys(world.players).sort() : [];
	for (const id of moves) {
		const moved = move(world.players[id]!);
		if (!moved) continue;
		world.players[id] = moved;
		changed.add(id);
		const gem = Object.values(world.gems).find(({ x, y }) => x === moved.x && y === moved.y);
		if (!gem) continue;
		delete world.gems[gem.id];
		taken.push(gem.id);
		gems.push(addGem(world));
		scores.set(moved.name, score(world, moved.name));
	}
	return {
		tick: world.tick,
		players: [...changed].map((id) => ({ ...world.players[id]! })),
		left,
		gems,
		taken,
		scores: [...scores],
	};
}

/** What a client does with its copy. Returns false when a tick is missing between the two. */
export function apply(world: World, delta: Delta): boolean {
	if (delta.tick <= world.tick) return true;
	if (delta.tick !== world.tick + 1) return false;
	world.tick = delta.tick;
	for (const player of delta.players) world.players[player.id] = player;
	for (const id of delta.left) delete world.players[id];
	for (const gem of delta.gems) world.gems[gem.id] = gem;
	for (const id of delta.taken) delete world.gems[id];
	for (const [name, score] of delta.scores) world.scores[name] = score;
	return true;
}

function move(player: Player): Player | null {
	const [dx, dy] = DIRECTIONS[player.direction];
	const [x, y] = [player.x + dx, player.y + dy];
	const isInside = x >= 0 && y >= 0 && x < WIDTH && y < HEIGHT;
	return isInside && (dx !== 0 || dy !== 0) ? { ...player, x, y } : null;
}

function addGem(world: World): Gem {
	world.lastGem += 1;
	const gem = { id: world.lastGem, ...randomSquare(world) };
	world.gems[gem.id] = gem;
	return gem;
}

function score(world: World, name: string): number {
	const score = (world.scores[name] ?? 0) + 1;
	world.scores[name] = score;
	const others = Object.entries(world.scores).filter(([other]) => other !== name);
	if (others.length >= SCORES_MAX) {
		const [least] = others.sort(([, a], [, b]) => a - b);
		delete world.scores[least![0]];
	}
	return score;
}

function randomSquare(world: World): { x: number; y: number } {
	return { x: random(world, WIDTH), y: random(world, HEIGHT) };
}

/** A whole number below `limit` (mulberry32). */
function random(world: World, limit: number): number {
	world.seed = (world.seed + 0x6d2b79f5) | 0;
	let bits = Math.imul(world.seed ^ (world.seed >>> 15), 1 | world.seed);
	bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
	return ((bits ^ (bits >>> 14)) >>> 0) % limit;
}
