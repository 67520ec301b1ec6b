const POLL_MS = 5;

/** Polls until `check` does not throw, and returns what it returned. After the limit, which is for what hangs: rejects with its last error. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 45_000): Promise<T> {
	const deadline = performance.now() + withinMs;
	for (;;) {
		try {
			return await check();
		} catch (error) {
			if (performance.now() > deadline) throw error;
		}
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}
