import type { Sample } from "../../api/metrics.ts";

/** The metrics of one moment. */
export interface Snapshot {
	readonly atMs: number;
	readonly samples: readonly Sample[];
}

/** A number over time; null where nothing can be said. */
export type Series = readonly (number | null)[];

/** The sum of the samples of a name whose labels are these; null when there are none. */
export function sumOf(
	{ samples }: Snapshot,
	name: string,
	labels: Readonly<Record<string, string>>,
): number | null {
	const found = samples.filter((sample) => sample.name === name && hasLabels(sample, labels));
	return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
}

function hasLabels({ labels }: Sample, wanted: Readonly<Record<string, string>>): boolean {
	return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/** A gauge as it is. */
export function gauge(
	snapshots: readonly Snapshot[],
	name: string,
	labels: Readonly<Record<string, string>>,
): Series {
	return snapshots.map((snapshot) => sumOf(snapshot, name, labels));
}

/** How much a counter grew per second between one snapshot and the next. */
export function rate(
	snapshots: readonly Snapshot[],
	name: string,
	labels: Readonly<Record<string, string>>,
): Series {
	return pairs(snapshots).map(([before, after]) => {
		const now = sumOf(after, name, labels);
		if (now === null) return null;
		// A series that was not there was at nothing; one that shrank began anew.
		const growth = now - (sumOf(before, name, labels) ?? 0);
		return growth < 0 ? null : (growth * 1_000) / (after.atMs - before.atMs);
	});
}

/** The value that a share of what a histogram counted between two snapshots is below, interpolated. */
export function quantile(
	snapshots: readonly Snapshot[],
	name: string,
	labels: Readonly<Record<string, string>>,
	share: number,
): Series {
	return pairs(snapshots).map(([before, after]) => {
		const earlier = bucketsOf(before, name, labels);
		const grown = [...bucketsOf(after, name, labels)]
			.map(([bound, count]): [number, number] => [bound, count - (earlier.get(bound) ?? 0)])
			.sort(([a], [b]) => a - b);
		return quantileOf(grown, share);
	});
}

/** @param buckets - upper bounds, and how many are below each; in order */
function quantileOf(
	buckets: readonly [bound: number, below: number][],
	share: number,
): number | null {
	const total = buckets.at(-1)?.[1] ?? 0;
	if (total <= 0) return null;
	const wanted = share * total;
	let [lower, seen] = [0, 0];
	for (const [bound, below] of buckets) {
		if (below >= wanted) {
			if (!Number.isFinite(bound)) return lower;
			const inside = below - seen;
			return inside <= 0 ? bound : lower + (bound - lower) * ((wanted - seen) / inside);
		}
		[lower, seen] = [bound, below];
	}
	return lower;
}

function bucketsOf(
	{ samples }: Snapshot,
	name: string,
	labels: Readonly<Record<string, string>>,
): Map<number, number> {
	const buckets = new Map<number, number>();
	for (const sample of samples) {
		if (sample.name !== `${name}_bucket` || !hasLabels(sample, labels)) continue;
		const { le = "" } = sample.labels;
		const bound = le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
		buckets.set(bound, (buckets.get(bound) ?? 0) + sample.value);
	}
	return buckets;
}

function pairs(snapshots: readonly Snapshot[]): [Snapshot, Snapshot][] {
	return snapshots.slice(1).map((after, at) => [snapshots[at]!, after]);
}
