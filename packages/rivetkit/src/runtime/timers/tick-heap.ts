/** A binary min-heap of tick numbers. */
export class TickHeap {
	#ticks: number[] = [];

	peek(): number | undefined {
		return this.#ticks[0];
	}

	clear(): void {
		this.#ticks = [];
	}

	push(tick: number): void {
		const ticks = this.#ticks;
		let child = ticks.push(tick) - 1;
		while (child > 0) {
			const parent = (child - 1) >> 1;
			if (ticks[parent]! <= tick) break;
			ticks[child] = ticks[parent]!;
			child = parent;
		}
		ticks[child] = tick;
	}

	pop(): number | undefined {
		const ticks = this.#ticks;
		const first = ticks[0];
		const last = ticks.pop();
		if (last === undefined || ticks.length === 0) return first;
		let parent = 0;
		for (;;) {
			let child = 2 * parent + 1;
			if (child >= ticks.length) break;
			if (child + 1 < ticks.length && ticks[child + 1]! < ticks[child]!) child++;
			if (ticks[child]! >= last) break;
			ticks[parent] = ticks[child]!;
			parent = child;
		}
		ticks[parent] = last;
		return first;
	}
}
