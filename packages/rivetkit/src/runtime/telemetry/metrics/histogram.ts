/** Counts values by upper bounds, as Prometheus has it. */
export class Histogram {
	/** Ascending; what is above the last one is counted in the sum and the count only. */
	readonly bounds: readonly number[];
	/** How many values were at most the bound of the same place, and above the one before. */
	readonly counts: Float64Array;
	count = 0;
	sum = 0;

	constructor(bounds: readonly number[]) {
		this.bounds = bounds;
		this.counts = new Float64Array(bounds.length);
	}

	observe(value: number, times = 1): void {
		this.count += times;
		this.sum += value * times;
		const { bounds } = this;
		for (let at = 0; at < bounds.length; at++) {
			if (value <= bounds[at]!) {
				this.counts[at]! += times;
				return;
			}
		}
	}
}

/** Seconds. */
export const DURATION_BOUNDS: readonly number[] = [
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
	30, 60,
];

export const BYTES_BOUNDS: readonly number[] = [
	64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
];
