import { median, quantile } from "../src/statistics.ts";

/** What one setting took per call (µs of processor time): of each launch of the processes, one value of each round. */
export interface Series {
	readonly setting: string;
	readonly micros: readonly (readonly number[])[];
}

/** How much more it took than another one at the same time: the median, and between what it lies 95 times of 100. */
export interface Change {
	readonly percent: number;
	readonly lowPercent: number;
	readonly highPercent: number;
	readonly micros: number;
}

const RESAMPLES = 2_000;

/**
 * Launches, and blocks of each, are drawn again and again from those that were measured (bootstrap), the same ones each
 * time it is asked: two processes of the same program differ, whatever they record.
 *
 * @param roundsOfBlock - rounds that are compared as one, some second of work: the traces of a second are all begun in the
 *   first turns of it, and a median of rounds would leave them out
 */
export function compare(
	base: Series["micros"],
	values: Series["micros"],
	roundsOfBlock: number,
): Change {
	const changes = (of: (value: number, base: number) => number): number[][] =>
		values.map((rounds, launch) => {
			const before = blocksOf(base[launch]!, roundsOfBlock);
			return blocksOf(rounds, roundsOfBlock).map((value, block) => of(value, before[block]!));
		});
	const percents = changes((value, before) => (value / before - 1) * 100);
	const random = generator(1);
	const drawn = <T>(list: readonly T[]): T[] =>
		list.map(() => list[Math.floor(random() * list.length)]!);
	const medians: number[] = [];
	for (let at = 0; at < RESAMPLES; at++) medians.push(median(drawn(percents).flatMap(drawn)));
	medians.sort((a, b) => a - b);
	return {
		percent: median(percents.flat()),
		lowPercent: quantile(medians, 0.025),
		highPercent: quantile(medians, 0.975),
		micros: median(changes((value, before) => value - before).flat()),
	};
}

/** The mean of each block; what is left over is none. */
function blocksOf(rounds: readonly number[], size: number): number[] {
	return Array.from({ length: Math.floor(rounds.length / size) }, (_, block) => {
		const part = rounds.slice(block * size, (block + 1) * size);
		return part.reduce((sum, value) => sum + value, 0) / size;
	});
}

/** Numbers from 0 up to 1: mulberry32. */
function generator(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

export const COLUMNS: readonly string[] = [
	"recorded",
	"processor µs per call, median",
	"least",
	"more than nothing",
	"95 of 100",
	"µs",
];

/**
 * Cells of {@link COLUMNS}, of one row for each. The first two record nothing: the second is compared with the first, the
 * others with the mean of both.
 */
export function rowsOf(series: readonly Series[], roundsOfBlock: number): string[][] {
	const [nothing, again, ...others] = series.map(({ micros }) => micros);
	if (nothing === undefined || again === undefined) throw new Error("nothing to compare with");
	const bases = [null, nothing, ...others.map(() => meanOf(nothing, again))];
	return series.map(({ setting, micros }, which) => {
		const all = micros.flat();
		const shown = [setting, median(all).toFixed(2), Math.min(...all).toFixed(2)];
		const base = bases[which]!;
		if (base === null) return [...shown, "", "", ""];
		const change = compare(base, micros, roundsOfBlock);
		return [
			...shown,
			`**${percent(change.percent)}**`,
			`${percent(change.lowPercent)} to ${percent(change.highPercent)}`,
			signed(change.micros, 2),
		];
	});
}

/** Of each round. */
function meanOf(one: Series["micros"], other: Series["micros"]): Series["micros"] {
	return one.map((rounds, launch) =>
		rounds.map((value, round) => (value + other[launch]![round]!) / 2),
	);
}

function percent(value: number): string {
	return `${signed(value, 1)} %`;
}

function signed(value: number, digits: number): string {
	return `${value > 0 ? "+" : ""}${value.toFixed(digits)}`;
}

/**
 * Traces of one setting in a second: as many as 100, the default, are of a second in which the server does nothing
 * else and is alone on its processor. With the same number however little of the time it works, a busy machine
 * would make traces look dear.
 *
 * @param share - the part of a second that it works
 */
export function tracesOf(share: number): number {
	return Math.max(1, Math.round(100 * share));
}

/** Of so many settings, in what order they have their turns in a round, or are started in a launch: in twice as many each has each place twice, after all others alike. */
export function turnsOf(round: number, settings: number): number[] {
	const order = Array.from({ length: settings }, (_, at) => (at + round) % settings);
	return Math.floor(round / settings) % 2 === 0 ? order : order.reverse();
}
