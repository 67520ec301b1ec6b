// Events and queues: declared names, payloads, messages (contract: api 4.3, 7, 9, A7, A8).
import { actor, event, queue } from "rivetkit";
import { expectTypeOf } from "vitest";
import { z } from "zod";

actor({
	events: {
		message: event<{ text: string }>(),
		moved: event<[x: number, y: number]>(),
		cleared: event<[]>(),
		list: event<string[]>(),
		maybe: event<string | undefined>(),
		schema: z.object({ n: z.coerce.number() }),
		token: event({ schema: z.tuple([z.string(), z.number()]) }),
		guarded: { schema: z.string(), canSubscribe: (c) => c.conn.params.admin === true },
		inner: { schema: event<number>() },
	},
	onConnect: (_c, conn) => {
		conn.send("message", { text: "hi" });
		// @ts-expect-error not a declared event
		conn.send("other");
	},
	actions: {
		all: (c) => {
			c.broadcast("message", { text: "hi" });
			c.broadcast("moved", 1, 2);
			c.broadcast("cleared");
			c.broadcast("list", ["a", "b"]);
			c.broadcast("maybe");
			c.broadcast("maybe", "x");
			c.broadcast("schema", { n: 1 });
			c.broadcast("token", "a", 1);
			c.broadcast("guarded", "a");
			c.broadcast("inner", 1);
			// @ts-expect-error not a declared event
			c.broadcast("other", 1);
			// @ts-expect-error wrong payload
			c.broadcast("message", { text: 1 });
			// @ts-expect-error a payload is missing
			c.broadcast("message");
			// @ts-expect-error tuples spread
			c.broadcast("moved", [1, 2]);
			// @ts-expect-error nothing follows
			c.broadcast("cleared", 1);
			// @ts-expect-error arrays do not spread
			c.broadcast("list", "a", "b");
			// @ts-expect-error the schema's output is a number
			c.broadcast("schema", { n: "1" });
		},
	},
});

// Without declarations any name and any payload.
actor({
	actions: {
		any: (c) => {
			c.broadcast("anything", 1, "two", null);
			c.broadcast("nothing");
		},
	},
});

// Declarations in the wrong place.
actor({
	events: {
		// @ts-expect-error a queue is not an event
		jobs: queue<string>(),
	},
});
actor({
	events: {
		// @ts-expect-error written like a queue
		jobs: { message: z.string() },
	},
});
actor({
	queues: {
		// @ts-expect-error an event is not a queue
		news: event<string>(),
	},
});

// Guards may type their context.
event<string, { conn: { params: { admin: boolean } } }>({
	canSubscribe: (c) => {
		expectTypeOf(c.conn.params.admin).toEqualTypeOf<boolean>();
		return c.conn.params.admin;
	},
});
// @ts-expect-error guards answer with a boolean
event<string>({ canSubscribe: () => "yes" });
