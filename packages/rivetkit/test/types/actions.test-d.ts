// Actions: plain, validated, nested; what is written wrong (ours; contract: api 4.3, 21, A7).
import { actor, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { expectTypeOf } from "vitest";
import { z } from "zod";

const list = actor({
	state: { items: [] as string[] },
	actions: {
		plain: (c, item: string, at?: number) => {
			c.state.items.splice(at ?? 0, 0, item);
			return c.state.items.length;
		},
		untyped: (_c, anything) => anything,
		rename: {
			input: z.object({ title: z.string(), at: z.coerce.date() }),
			handler: (c, input) => {
				expectTypeOf(input).toEqualTypeOf<{ title: string; at: Date }>();
				expectTypeOf(c.state).toEqualTypeOf<{ items: string[] }>();
				return input.title;
			},
		},
		insert: {
			input: [z.string(), z.coerce.number()],
			handler: async (_c, item, at) => {
				expectTypeOf(item).toEqualTypeOf<string>();
				expectTypeOf(at).toEqualTypeOf<number>();
				return at;
			},
		},
		none: { input: [], handler: (c) => c.key },
		users: {
			add: (c, name: string) => `${c.actorId}/${name}`,
			edit: {
				input: z.object({ id: z.string().transform(Number) }),
				handler: (_c, input) => {
					expectTypeOf(input).toEqualTypeOf<{ id: number }>();
					return input.id;
				},
			},
			roles: { list: (c) => c.state.items },
		},
	},
});

const registry = setup({ use: { list } });
const handle = createClient<typeof registry>().list.getOrCreate([]);
expectTypeOf(handle.plain("a", 1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(handle.rename({ title: "a", at: "2026-01-01" })).toEqualTypeOf<Promise<string>>();
expectTypeOf(handle.insert("a", "1")).toEqualTypeOf<Promise<number>>();
expectTypeOf(handle.none()).toEqualTypeOf<Promise<string[]>>();
expectTypeOf(handle.users.add("ada")).toEqualTypeOf<Promise<string>>();
expectTypeOf(handle.users.edit({ id: "1" })).toEqualTypeOf<Promise<number>>();
expectTypeOf(handle.users.roles.list()).toEqualTypeOf<Promise<string[]>>();
// @ts-expect-error clients send what the schema takes
handle.users.edit({ id: 1 });
// @ts-expect-error the title is missing
handle.rename({ at: "2026-01-01" });
// @ts-expect-error no such action
handle.users.remove("ada");

// @ts-expect-error an action is a function
actor({ actions: { wrong: 1 } });
// @ts-expect-error the input must be a schema
actor({ actions: { wrong: { input: "string", handler: () => 1 } } });
// @ts-expect-error no such property
actor({ onStart: () => {} });
// @ts-expect-error no such option
actor({ options: { actionTimout: 1 } });
// @ts-expect-error a limit is a number
actor({ options: { actionTimeout: "1s" } });

// A run is not called by anybody.
actor({
	run: async (c) => {
		// @ts-expect-error there is no connection
		c.conn;
	},
});
