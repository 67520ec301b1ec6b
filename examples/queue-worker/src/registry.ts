import { actor, queue, setup } from "rivetkit";

export interface Delivery {
	readonly url: string;
	readonly payload: unknown;
}

/** Longest wait for one receiver (ms). */
const DELIVERY_TIMEOUT_MS = 10_000;

const webhooks = actor({
	options: { name: "Webhooks", icon: "paper-plane" },
	state: { delivered: 0 },
	queues: {
		deliveries: queue<Delivery, { status: number; attempts: number }>({
			maxAttempts: 3,
			retryDelay: { initial: 200, max: 60_000 },
			deadLetter: "undeliverable",
		}),
		undeliverable: queue<Delivery>({ maxSize: 500 }),
	},
	run: async (c) => {
		for await (const message of c.queue.iter({ names: ["deliveries"], completable: true })) {
			const status = await post(message.body, message.id, c.abortSignal);
			if (status === null) {
				c.log.warn({ url: message.body.url, attempt: message.attempt }, "not delivered");
				// Once more after the queue's retryDelay; after maxAttempts it is a dead letter.
				await message.release();
				continue;
			}
			c.state.delivered += 1;
			// In one commit with the count. The sender that waits is answered when that is on disk.
			await message.complete({ status, attempts: message.attempt });
		}
	},
	actions: {
		delivered: (c) => c.state.delivered,
		undeliverable: (c) => c.queue.deadLetters({ limit: 100 }),
		retry: (c) => c.queue.redrive(),
	},
});

/** The status of a receiver that accepted; null when it refused, or could not be reached in time. */
async function post(
	{ url, payload }: Delivery,
	id: bigint,
	abortSignal: AbortSignal,
): Promise<number | null> {
	try {
		const response = await fetch(url, {
			method: "POST",
			// Delivered at least once: the same key tells the receiver that it is the same message.
			headers: { "content-type": "application/json", "idempotency-key": `${id}` },
			body: JSON.stringify(payload),
			signal: AbortSignal.any([abortSignal, AbortSignal.timeout(DELIVERY_TIMEOUT_MS)]),
		});
		await response.body?.cancel();
		return response.ok ? response.status : null;
	} catch {
		// No connection, or no answer: as good as a refusal. What is tried again is in the queue.
		return null;
	}
}

export const registry = setup({
	use: { webhooks },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
