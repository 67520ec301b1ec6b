import { type AddressInfo, createServer } from "node:net";

/** A port that is free now, for servers that cannot be told to choose one and say which. */
export function freePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const probe = createServer();
		probe.on("error", reject);
		probe.listen(0, "127.0.0.1", () => {
			const { port } = probe.address() as AddressInfo;
			probe.close(() => resolve(port));
		});
	});
}

const POLL_MS = 20;
const START_MS_MAX = 100_000;

/** Resolves when the server answers `/metadata` and its registry has this actor. */
export async function whenServing(port: number, actor = "counter"): Promise<void> {
	const deadline = performance.now() + START_MS_MAX;
	for (;;) {
		try {
			const response = await fetch(`http://127.0.0.1:${port}/metadata`);
			const { actorNames } = (await response.json()) as { actorNames?: Record<string, unknown> };
			if (actorNames !== undefined && actor in actorNames) return;
			throw new Error(`another server answers on port ${port}`);
		} catch (error) {
			if (performance.now() > deadline) throw error;
			await new Promise((resolve) => setTimeout(resolve, POLL_MS));
		}
	}
}
