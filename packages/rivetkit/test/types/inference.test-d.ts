// What `actor()` infers (contract: api 4.1, 4.2, A6). Every hook states what it sees.
import { type ActorDefinition, actor, event } from "rivetkit";
import { expectTypeOf } from "vitest";

/** The type of maps that declare nothing. */
type Undeclared = Record<never, never>;

// The room of the contract: nothing is annotated but what comes from outside.
interface RoomState {
	title: string;
	size: number;
}
interface RoomConnState {
	user: string;
	seen: number;
}
const room = actor({
	createState: (c, input: { title: string }) => ({ title: input.title, size: c.key.length }),
	createVars: (c) => {
		expectTypeOf(c.state).toEqualTypeOf<RoomState>();
		return { upper: c.state.title.toUpperCase() };
	},
	createConnState: (c, p: { user: string }) => {
		expectTypeOf(c.state).toEqualTypeOf<RoomState>();
		return { user: p.user, seen: c.vars.upper.length };
	},
	onBeforeConnect: (c, p) => {
		expectTypeOf(p).toEqualTypeOf<{ user: string }>();
		expectTypeOf(c.request).toEqualTypeOf<Request | undefined>();
	},
	onCreate: (c, input) => {
		expectTypeOf(input).toEqualTypeOf<{ title: string }>();
		expectTypeOf(c.state).toEqualTypeOf<RoomState>();
	},
	onWake: (c) => {
		expectTypeOf(c.state).toEqualTypeOf<RoomState>();
		expectTypeOf(c.vars).toEqualTypeOf<{ upper: string }>();
	},
	onConnect: (c, conn) => {
		expectTypeOf(conn.state).toEqualTypeOf<RoomConnState>();
		expectTypeOf(c.conn.params).toEqualTypeOf<{ user: string }>();
	},
	onDisconnect: (_c, conn) => {
		expectTypeOf(conn.state).toEqualTypeOf<RoomConnState>();
	},
	onStateChange: (c, newState) => {
		expectTypeOf(newState).toEqualTypeOf<RoomState>();
		expectTypeOf(c.vars).toEqualTypeOf<{ upper: string }>();
	},
	run: async (c) => {
		expectTypeOf(c.state).toEqualTypeOf<RoomState>();
		expectTypeOf(c.vars).toEqualTypeOf<{ upper: string }>();
		for (const conn of c.conns.values()) {
			expectTypeOf(conn.state).toEqualTypeOf<RoomConnState>();
		}
	},
	actions: {
		who: (c) => `${c.conn.state.user}@${c.state.title}`,
		grow: async (c, by: number) => {
			c.state.size += by;
			return c.state;
		},
	},
});
type PartsOf<D> =
	D extends ActorDefinition<
		infer S,
		infer CP,
		infer CS,
		infer V,
		infer I,
		infer DB,
		infer E,
		infer Q,
		infer A
	>
		? { S: S; CP: CP; CS: CS; V: V; I: I; DB: DB; E: E; Q: Q; A: A }
		: never;
type Room = PartsOf<typeof room>;
expectTypeOf<Room["S"]>().toEqualTypeOf<RoomState>();
expectTypeOf<Room["CP"]>().toEqualTypeOf<{ user: string }>();
expectTypeOf<Room["CS"]>().toEqualTypeOf<RoomConnState>();
expectTypeOf<Room["V"]>().toEqualTypeOf<{ upper: string }>();
expectTypeOf<Room["I"]>().toEqualTypeOf<{ title: string }>();
expectTypeOf<keyof Room["A"]>().toEqualTypeOf<"who" | "grow">();
expectTypeOf<ReturnType<Room["A"]["grow"]>>().toEqualTypeOf<Promise<RoomState>>();

// Static forms.
actor({
	state: { count: 0 },
	connState: { visits: 1 },
	vars: { started: new Date() },
	onWake: (c) => {
		expectTypeOf(c.state).toEqualTypeOf<{ count: number }>();
		expectTypeOf(c.vars).toEqualTypeOf<{ started: Date }>();
	},
	actions: {
		visits: (c) => {
			expectTypeOf(c.conn.state).toEqualTypeOf<{ visits: number }>();
			return c.conn.state.visits;
		},
	},
});

// Both forms: types come from the static one, and the function's result must fit it.
interface CounterState {
	count: number;
	note?: string;
}
actor({
	state: { count: 0 } as CounterState,
	createState: (_c, input: { start?: number }) => ({ count: input.start ?? 0 }),
	actions: {
		get: (c) => {
			expectTypeOf(c.state).toEqualTypeOf<CounterState>();
			return c.state.count;
		},
	},
});
actor({
	state: { count: 0 } as CounterState,
	// @ts-expect-error the created state does not fit the static one
	createState: () => ({ count: "none" }),
});

// Producers without parameters, async producers.
actor({
	createState: async () => ({ list: [] as string[] }),
	createVars: () => ({ emitter: new EventTarget() }),
	actions: {
		add: (c, item: string) => {
			expectTypeOf(c.state).toEqualTypeOf<{ list: string[] }>();
			c.vars.emitter.dispatchEvent(new Event("add"));
			c.state.list.push(item);
		},
	},
});
actor({
	createState: async (c, name: string) => ({ name, region: c.region }),
	actions: {
		name: (c) => {
			expectTypeOf(c.state).toEqualTypeOf<{ name: string; region: string }>();
		},
	},
});

// Input from onCreate, connection parameters from onBeforeConnect alone.
const annotated = actor({
	onCreate: (_c, _input: { seed: number }) => {},
	onBeforeConnect: (_c, _params: { token: string }) => {},
	actions: {
		token: (c) => {
			expectTypeOf(c.conn.params).toEqualTypeOf<{ token: string }>();
		},
	},
});
expectTypeOf<PartsOf<typeof annotated>["I"]>().toEqualTypeOf<{ seed: number }>();

// What is absent cannot be used.
actor({
	actions: {
		none: (c) => {
			expectTypeOf(c.state).toEqualTypeOf<unknown>();
			expectTypeOf(c.vars).toEqualTypeOf<unknown>();
			expectTypeOf(c.db).toEqualTypeOf<unknown>();
			expectTypeOf(c.conn.state).toEqualTypeOf<unknown>();
			expectTypeOf(c.conn.params).toEqualTypeOf<unknown>();
			// @ts-expect-error there is no state
			c.state.count;
		},
	},
});
expectTypeOf(actor({})).toExtend<
	ActorDefinition<
		unknown,
		unknown,
		unknown,
		unknown,
		unknown,
		unknown,
		Undeclared,
		Undeclared,
		Undeclared
	>
>();

// A producer does not know what it produces.
actor({
	createState: (c) => {
		// @ts-expect-error the state does not exist yet
		c.state.count;
		return { count: 0 };
	},
});

// The contract's `types`, and the database a custom provider creates.
actor({
	types: {} as { state: { n: number } },
	db: {
		createClient: async ({ actorId }) => ({ find: (id: string) => `${actorId}/${id}` }),
		onMigrate: (client) => {
			client.find("x");
		},
	},
	onMigrate: (c, isNew) => {
		expectTypeOf(isNew).toEqualTypeOf<boolean>();
		c.db.find("y");
	},
	actions: {
		find: (c) => {
			expectTypeOf(c.state).toEqualTypeOf<{ n: number }>();
			return c.db.find("z");
		},
	},
});

// Cloudflare's driver context may be annotated; it has more than ours.
actor({
	createVars: (_c, driver: { state: { id: string } }) => ({ id: driver.state.id }),
	actions: { id: (c) => c.vars.id.length },
});

// State is live and can be replaced.
actor({
	state: { count: 0 },
	events: { changed: event<number>() },
	actions: {
		reset: (c) => {
			c.state = { count: 0 };
			// @ts-expect-error not a state of this actor
			c.state = { total: 0 };
		},
	},
});

// Order: an open parameter before an annotated one compiles, and stays open.
actor({
	onBeforeConnect: (_c, params) => {
		expectTypeOf(params).toEqualTypeOf<unknown>();
	},
	createConnState: (_c, params: { user: string }) => ({ user: params.user }),
});

// Functions win over values at run time, values over functions in types; both may be asynchronous.
actor({
	connState: { user: "", admin: false } as { user: string; admin?: boolean },
	createConnState: async (_c, params: { user: string }) => ({ user: params.user }),
	vars: { started: 0 as number | null },
	createVars: () => ({ started: Date.now() }),
	onConnect: (c, conn) => {
		expectTypeOf(conn.state).toEqualTypeOf<{ user: string; admin?: boolean }>();
		expectTypeOf(c.vars).toEqualTypeOf<{ started: number | null }>();
	},
});

// `any` stays any.
actor({
	// biome-ignore lint/suspicious/noExplicitAny: users write it
	state: {} as any,
	actions: { deep: (c) => c.state.a.b.c },
});
