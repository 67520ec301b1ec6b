/** The value below which `fraction` of the sorted values lie (nearest rank). NaN of nothing. */
export function quantile(sorted: ArrayLike<number>, fraction: number): number {
	if (sorted.length === 0) return Number.NaN;
	const rank = Math.ceil(fraction * sorted.length);
	return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] as number;
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
	if (values.length === 0) return Number.NaN;
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] as number;
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Latencies in milliseconds. Keeps the first million. */
export class Latencies {
	readonly #values = new Float64Array(1_000_000);
	#count = 0;

	add(milliseconds: number): void {
		if (this.#count < this.#values.length) this.#values[this.#count++] = milliseconds;
	}

	summary(): { p50Ms: number; p99Ms: number } {
		const sorted = this.#values.slice(0, this.#count).sort();
		return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
	}
}
