/**
 * What tracking state costs, beside the same code on plain objects (the control). Run:
 * `node --expose-gc --conditions=@rivetkit/source benchmarks/state/track-state.ts`
 *
 * Not measured: encoding and commits.
 */
import { trackState } from "../../packages/rivetkit/src/runtime/state/index.ts";

interface Bench {
	readonly name: string;
	readonly operations: number;
	run(state: State): unknown;
}

interface Player {
	id: number;
	x: number;
	y: number;
}

interface State {
	count: number;
	user: { profile: { age: number } };
	players: Player[];
	numbers: number[];
	byId: Map<string, Player>;
	tags: Set<string>;
	bytes: Uint8Array;
	[key: string]: unknown;
}

const PLAYERS = 1_000;

function sample(): State {
	const players = Array.from({ length: PLAYERS }, (_, id) => ({ id, x: 0, y: 0 }));
	return {
		count: 0,
		user: { profile: { age: 1 } },
		players,
		numbers: Array.from({ length: PLAYERS }, (_, index) => index),
		byId: new Map(players.map(({ id }) => [`p${id}`, { id, x: 0, y: 0 }])),
		tags: new Set(["a"]),
		bytes: new Uint8Array(1024),
	};
}

function repeat(
	name: string,
	operations: number,
	once: (state: State, index: number) => unknown,
): Bench {
	return {
		name,
		operations,
		run(state) {
			for (let index = 0; index < operations; index++) once(state, index);
		},
	};
}

const benches: Bench[] = [
	repeat("state.count += 1", 100_000, (s) => {
		s.count += 1;
	}),
	repeat("read state.count", 100_000, (s) => s.count),
	repeat("state.user.profile.age += 1", 100_000, (s) => {
		s.user.profile.age += 1;
	}),
	repeat("state.players[i].x += 1", 100_000, (s, index) => {
		s.players[index % PLAYERS]!.x += 1;
	}),
	repeat("state.numbers[i] = i", 100_000, (s, index) => {
		s.numbers[index % PLAYERS] = index;
	}),
	repeat("state.byId.get(id).x += 1", 100_000, (s, index) => {
		s.byId.get(`p${index % PLAYERS}`)!.x += 1;
	}),
	repeat("state.bytes[i] = i", 100_000, (s, index) => {
		s.bytes[index % 1024] = index;
	}),
	repeat("push and shift an object", 20_000, (s, index) => {
		s.players.push({ id: index, x: 0, y: 0 });
		s.players.shift();
	}),
	repeat("set an object under a key", 20_000, (s, index) => {
		s.last = { id: index, name: "name", at: [1, 2] };
	}),
	{
		name: "for of 1,000 objects, per object",
		operations: PLAYERS,
		run(s) {
			let sum = 0;
			for (const player of s.players) sum += player.x;
			return sum;
		},
	},
	{
		name: "filter 1,000 objects, per object",
		operations: PLAYERS,
		run: (s) => s.players.filter((player) => player.x > 5),
	},
	{
		name: "reduce 1,000 numbers, per number",
		operations: PLAYERS,
		run: (s) => s.numbers.reduce((sum, number) => sum + number, 0),
	},
	{
		name: "for of map of 1,000, per entry",
		operations: PLAYERS,
		run(s) {
			let sum = 0;
			for (const [, player] of s.byId) sum += player.x;
			return sum;
		},
	},
	{
		name: "JSON.stringify 1,000 objects, per object",
		operations: PLAYERS,
		run: (s) => JSON.stringify(s.players),
	},
];

/** Median nanoseconds per operation over rounds of at least 20 ms. */
function measure(bench: Bench, makeState: () => State): number {
	const rounds: number[] = [];
	const state = makeState();
	for (let round = 0; round < 12; round++) {
		let operations = 0;
		const start = process.hrtime.bigint();
		let elapsed = 0n;
		do {
			bench.run(state);
			operations += bench.operations;
			elapsed = process.hrtime.bigint() - start;
		} while (elapsed < 20_000_000n);
		if (round >= 2) rounds.push(Number(elapsed) / operations);
	}
	rounds.sort((a, b) => a - b);
	return rounds[rounds.length >> 1]!;
}

/** What the runtime does at a change: it sets a flag. */
const flags = { changed: false };

function tracked(raw: State): State {
	const options = {
		rootPath: "state",
		onChange: () => {
			flags.changed = true;
		},
		beforeWrite: () => {},
	};
	return trackState(raw, options).value as State;
}

console.log("nanoseconds per operation".padEnd(44), "tracked".padStart(9), "plain".padStart(9));
for (const bench of benches) {
	const plain = measure(bench, sample);
	const proxied = measure(bench, () => tracked(sample()));
	console.log(bench.name.padEnd(44), proxied.toFixed(1).padStart(9), plain.toFixed(1).padStart(9));
}

function heapPer(count: number, make: (index: number) => unknown): number {
	const kept: unknown[] = new Array(count).fill(undefined);
	globalThis.gc!();
	const before = process.memoryUsage().heapUsed;
	for (let index = 0; index < count; index++) kept[index] = make(index);
	globalThis.gc!();
	const bytes = (process.memoryUsage().heapUsed - before) / count;
	if (kept.length !== count) throw new Error("unreachable: keeps the array alive");
	return bytes;
}

if (globalThis.gc === undefined) {
	console.log("\nrun with --expose-gc for the bytes");
} else {
	const options = { rootPath: "state", onChange: () => {} };
	const flat = () => ({ count: 0 });
	const nested = () => ({ user: { profile: { age: 1 } }, list: [1, 2, 3] });
	const bare = heapPer(100_000, flat);
	const untouched = heapPer(100_000, () => trackState(flat(), options));
	const touched = heapPer(100_000, () => {
		const state = trackState(flat(), options);
		(state.value as { count: number }).count += 1;
		return state;
	});
	const bareNested = heapPer(100_000, nested);
	const touchedNested = heapPer(100_000, () => {
		const state = trackState(nested(), options);
		const value = state.value as ReturnType<typeof nested>;
		value.user.profile.age += 1;
		value.list.push(1);
		return state;
	});
	const bareList = heapPer(100, () => sample().players);
	const list = heapPer(100, () => {
		const state = trackState(sample().players, options);
		for (const player of state.value as Player[]) player.x += 1;
		return state;
	});
	console.log("\nbytes of heap for tracking");
	console.log("{ count } never touched".padEnd(44), (untouched - bare).toFixed(0).padStart(9));
	console.log("{ count } touched".padEnd(44), (touched - bare).toFixed(0).padStart(9));
	console.log(
		"3 nested objects touched".padEnd(44),
		(touchedNested - bareNested).toFixed(0).padStart(9),
	);
	console.log(
		"list of 1,000, per object touched".padEnd(44),
		((list - bareList) / PLAYERS).toFixed(0).padStart(9),
	);
}
