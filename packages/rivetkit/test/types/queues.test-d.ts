// Queues in types (contract: api 4.3, 9, A7, A8; workflows 12.3).
import { actor, type DeadLetter, queue } from "rivetkit";
import { expectTypeOf } from "vitest";
import { z } from "zod";

type Work = { amount: number };
type Control = { type: "stop"; reason: string };

actor({
	queues: {
		work: queue<Work, { done: boolean }>(),
		control: queue<Control>(),
		maybe: queue<string, number | undefined>(),
		schema: z.object({ id: z.string() }),
		both: { message: z.string(), complete: z.number(), canPublish: (c) => c.conn.id !== "" },
		token: queue({ message: z.coerce.date(), complete: z.boolean() }),
		limited: queue<string>({ maxSize: 10, maxAttempts: 3, retryDelay: 100, deadLetter: "work" }),
	},
	run: async (c) => {
		for await (const message of c.queue.iter()) {
			expectTypeOf(message.id).toEqualTypeOf<bigint>();
			if (message.name === "work") expectTypeOf(message.body).toEqualTypeOf<Work>();
			if (message.name === "control") expectTypeOf(message.body).toEqualTypeOf<Control>();
			if (message.name === "schema") expectTypeOf(message.body).toEqualTypeOf<{ id: string }>();
			if (message.name === "token") expectTypeOf(message.body).toEqualTypeOf<Date>();
			// @ts-expect-error only completable messages can be completed
			message.complete;
		}

		const one = await c.queue.next({ names: ["work"], timeout: 10 });
		expectTypeOf(one?.body).toEqualTypeOf<Work | undefined>();
		const names = ["work", "control"] as const;
		const two = await c.queue.tryNext({ names });
		if (two?.name === "control") expectTypeOf(two.body).toEqualTypeOf<Control>();
		if (two) expectTypeOf(two.name).toEqualTypeOf<"work" | "control">();
		const batch = await c.queue.nextBatch({ names: ["both"], count: 3 });
		expectTypeOf(batch[0]!.body).toEqualTypeOf<string>();
		const empty = await c.queue.tryNextBatch({ names: [] });
		if (empty[0]?.name === "work") expectTypeOf(empty[0].body).toEqualTypeOf<Work>();
		// @ts-expect-error not a declared queue
		await c.queue.next({ names: ["other"] });

		for await (const message of c.queue.iter({ completable: true })) {
			if (!message.complete) return;
			if (message.name === "work") {
				await message.complete({ done: true });
				// @ts-expect-error the response is required
				await message.complete();
				// @ts-expect-error wrong response
				await message.complete({ done: 1 });
			}
			if (message.name === "maybe") {
				await message.complete();
				await message.complete(1);
				// @ts-expect-error wrong response
				await message.complete("one");
			}
			if (message.name === "control") {
				await message.complete();
				await message.complete({ any: "value" });
			}
			if (message.name === "both") await message.complete(1);
			if (message.name === "token") await message.complete(true);
			await message.release();
		}
	},
	actions: {
		send: async (c) => {
			const sent = await c.queue.send("work", { amount: 1 }, { dedupeKey: "a" });
			expectTypeOf(sent.body).toEqualTypeOf<Work>();
			await c.queue.send("work", { amount: 1 }, { delay: 1, priority: -1, ttl: 1 });
			// @ts-expect-error not an option
			await c.queue.send("work", { amount: 1 }, { dealy: 1 });
			// @ts-expect-error wrong body
			await c.queue.send("work", { amount: "1" });
			// @ts-expect-error not a declared queue
			await c.queue.send("other", 1);
		},
		dead: async (c) => {
			expectTypeOf(c.queue.size("work")).toBeNumber();
			// @ts-expect-error not a declared queue
			c.queue.size("other");
			const [letter] = await c.queue.deadLetters({ queue: "limited", limit: 1 });
			expectTypeOf(letter).toEqualTypeOf<DeadLetter | undefined>();
			expectTypeOf(c.queue.redrive({ ids: [letter!.id] })).resolves.toBeNumber();
			// @ts-expect-error ids are bigints
			await c.queue.redrive({ ids: [1] });
		},
	},
});

// Without declarations any name; bodies are unknown.
actor({
	run: async (c) => {
		for await (const message of c.queue.iter()) {
			expectTypeOf(message.name).toEqualTypeOf<string>();
			expectTypeOf(message.body).toEqualTypeOf<unknown>();
		}
		await c.queue.send("anything", 1);
		const message = await c.queue.next({ names: ["a", "b"], completable: true });
		await message?.complete("whatever");
	},
});
