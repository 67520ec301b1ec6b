import type { Ctx } from "./world.ts";

/** An iteration that fails with a message in its hands. */
export const failing = (ctx: Ctx): Promise<unknown> =>
	ctx.loop("loop", async (loop) => {
		await loop.queue.next("m", { names: ["work"], completable: true });
		await loop.step({ name: "s", maxRetries: 0, run: () => Promise.reject(new Error("no")) });
	});
