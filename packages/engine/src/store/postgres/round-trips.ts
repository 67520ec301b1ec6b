/** What one kind of questions to PostgreSQL took so far. */
export class RoundTrips {
	count = 0;
	seconds = 0;

	/** Also counts those that fail. */
	async measure<T>(ask: () => Promise<T>): Promise<T> {
		const startMs = performance.now();
		try {
			return await ask();
		} finally {
			this.count++;
			this.seconds += (performance.now() - startMs) / 1000;
		}
	}
}
