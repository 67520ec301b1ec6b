import { expectTypeOf } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import {
	type ActorConn,
	type ActorConnStatus,
	type ActorError,
	type ActorHandle,
	type Client,
	createClient,
	type ExtractActorsFromRegistry,
	type ExtractRegistryFromClient,
	type QueueSendResult,
} from "../../src/client/index.ts";
import { Registry } from "../../src/registry/registry.ts";

const room = actor({
	createState: (_c, input: { title: string }) => ({ title: input.title }),
	createConnState: (_c, params: { user: string }) => ({ user: params.user }),
	events: {
		message: event<{ text: string }>(),
		moved: event<[x: number, y: number]>(),
		cleared: event<[]>(),
		list: event<string[]>(),
	},
	queues: {
		jobs: queue<{ url: string }, { ok: boolean }>(),
		plain: queue<number>(),
	},
	actions: {
		rename: (c, title: string, loud?: boolean) => {
			c.state.title = loud ? title.toUpperCase() : title;
			return title.length;
		},
		later: async (_c, at: Date) => ({ at }),
		nothing: () => {},
		users: { add: (_c, name: string) => [name] },
		checked: {
			input: z.object({ n: z.string().transform(Number) }),
			handler: (_c, { n }) => n,
		},
		checkedList: {
			input: [z.string(), z.number()],
			handler: (_c, text, count) => text.repeat(count),
		},
		send: (_c, _text: string) => "shadowed",
	},
});
const plain = actor({ state: { n: 1 }, actions: { get: (c) => c.state.n } });
const registry = { config: { use: { room, plain } } };
type R = typeof registry;

const client = createClient<R>();
expectTypeOf(client).toEqualTypeOf<Client<R>>();
expectTypeOf<ExtractActorsFromRegistry<R>>().toEqualTypeOf<{
	room: typeof room;
	plain: typeof plain;
}>();
expectTypeOf<ExtractRegistryFromClient<typeof client>>().toEqualTypeOf<R>();

// Accessors: known actors only.
const handle = client.room.getOrCreate(["a"]);
expectTypeOf(handle).toEqualTypeOf<ActorHandle<typeof room>>();
expectTypeOf(client.room.get("a")).toEqualTypeOf<ActorHandle<typeof room>>();
expectTypeOf(client.room.get()).toEqualTypeOf<ActorHandle<typeof room>>();
expectTypeOf(client.room.getForId("id")).toEqualTypeOf<ActorHandle<typeof room>>();
expectTypeOf(client.room.create("a")).resolves.toEqualTypeOf<ActorHandle<typeof room>>();
expectTypeOf(client.get("room", "a")).toEqualTypeOf<ActorHandle<typeof room>>();
expectTypeOf(client.plain.get().get()).resolves.toEqualTypeOf<number>();
// @ts-expect-error no such actor
client.nobody;
// @ts-expect-error a key has no numbers
client.room.get([1]);
// A name that only a server knows stays usable, without types.
client.get("elsewhere", "k").anything(1, "b");

// Actions: without the context, and never a promise of a promise.
expectTypeOf(handle.rename).parameters.toEqualTypeOf<[title: string, loud?: boolean | undefined]>();
expectTypeOf(handle.rename("x")).toEqualTypeOf<Promise<number>>();
expectTypeOf(handle.later(new Date())).toEqualTypeOf<Promise<{ at: Date }>>();
expectTypeOf(handle.nothing()).toEqualTypeOf<Promise<void>>();
expectTypeOf(handle.users.add("n")).toEqualTypeOf<Promise<string[]>>();
expectTypeOf(handle.checked({ n: "1" })).toEqualTypeOf<Promise<number>>();
expectTypeOf(handle.checkedList("a", 2)).toEqualTypeOf<Promise<string>>();
// @ts-expect-error wrong argument
handle.rename(1);
// @ts-expect-error missing argument
handle.rename();
// @ts-expect-error no such action
handle.unknown();
// @ts-expect-error the schema's input, not its output, is what callers pass
handle.checked({ n: 1 });
// @ts-expect-error no such nested action
handle.users.remove("n");
expectTypeOf(
	handle.action<[string], number>({ name: "rename", args: ["x"] }),
).resolves.toBeNumber();
expectTypeOf(handle.action({ name: "rename", args: ["x"] })).resolves.toBeUnknown();

// An action named like a member is reached by `action` only; the member keeps its own type.
// @ts-expect-error `send` takes a queue and a body
handle.send("text");

// Queues: declared names are typed, others accept anything.
expectTypeOf(handle.send("jobs", { url: "u" })).resolves.toBeVoid();
expectTypeOf(handle.send("jobs", { url: "u" }, { wait: true })).resolves.toEqualTypeOf<
	QueueSendResult<{ ok: boolean }>
>();
expectTypeOf(handle.send("plain", 1, { wait: true, timeout: 5 })).resolves.toEqualTypeOf<
	QueueSendResult<unknown>
>();
expectTypeOf(handle.send("other", Symbol.iterator)).resolves.toBeVoid();
expectTypeOf(
	handle.send("jobs", { url: "u" }, { delay: 1, priority: 2, ttl: 3, dedupeKey: "k" }),
).resolves.toBeVoid();
// @ts-expect-error the option is a number of milliseconds
handle.send("jobs", { url: "u" }, { delay: "1s" });
expectTypeOf(handle.send("other", 1, { wait: true })).resolves.toEqualTypeOf<QueueSendResult>();

// Options: suggested, but any value keeps compiling.
client.room.getOrCreate("a", {
	params: { user: "u" },
	createWithInput: { title: "t" },
	createInRegion: "eu",
	signal: new AbortController().signal,
	getParams: async () => ({ user: "u" }),
});
client.room.getOrCreate("a", { params: 0, createWithInput: null });
client.room.create("a", { input: { title: "t" }, region: "eu", params: { user: "u" } });
// @ts-expect-error no such option
client.room.getOrCreate("a", { input: {} });

// Connections.
const connection = handle.connect();
expectTypeOf(connection).toEqualTypeOf<ActorConn<typeof room>>();
expectTypeOf(connection.rename("x")).toEqualTypeOf<Promise<number>>();
expectTypeOf(connection.users.add("n")).toEqualTypeOf<Promise<string[]>>();
expectTypeOf(connection.connStatus).toEqualTypeOf<ActorConnStatus>();
expectTypeOf(connection.actorId).toEqualTypeOf<string | undefined>();
connection.onError((error) => expectTypeOf(error).toEqualTypeOf<ActorError>());
connection.onStatusChange((status) => expectTypeOf(status).toEqualTypeOf<ActorConnStatus>());
expectTypeOf(connection.onResync(() => {})).toEqualTypeOf<() => void>();
connection.onResync((...args) => expectTypeOf(args).toEqualTypeOf<[]>());
// @ts-expect-error resync has nothing to say but that it happened
connection.onResync((missed: number) => missed);
connection.on("message", (payload) => expectTypeOf(payload).toEqualTypeOf<{ text: string }>());
connection.on("moved", (x, y) => expectTypeOf([x, y]).toEqualTypeOf<number[]>());
connection.on("cleared", (...args) => expectTypeOf(args).toEqualTypeOf<[]>());
connection.once("list", (items) => expectTypeOf(items).toEqualTypeOf<string[]>());
connection.on("undeclared", (a: Date, b: number) => [a, b]);
expectTypeOf(connection.on("message", () => {})).toEqualTypeOf<() => void>();
// @ts-expect-error no such action
connection.unknown();
expectTypeOf(connection.dispose()).resolves.toBeVoid();

// Actors that declare no events or queues accept any name.
const loose = client.plain.get().connect();
loose.on("anything", (first, second) => [first, second]);
expectTypeOf(loose.send("anything", 1)).resolves.toBeVoid();

// Without a registry anything goes.
const untyped = createClient();
const untypedHandle = untyped.get("whatever", ["k"], { params: 1 });
expectTypeOf(untypedHandle.anything(1, "b")).toBeAny();
expectTypeOf(untypedHandle.nested.action()).toBeAny();
expectTypeOf(untypedHandle.resolve()).resolves.toBeString();
untypedHandle.connect().on("event", (payload) => expectTypeOf(payload).toBeAny());
untyped.whatever
	?.getOrCreate("k", { createWithInput: 1 })
	.connect()
	.onError((error) => error.code);
expectTypeOf(untyped.create("whatever")).resolves.toEqualTypeOf<typeof untypedHandle>();

// A helper may take any handle of an actor.
function helper(given: ActorHandle<typeof room>): Promise<number> {
	return given.rename("x");
}
helper(handle);
// @ts-expect-error a handle of another actor
helper(client.plain.get());

// An actor may call another one of a registry that is declared later.
const inventory = actor({
	state: { stock: 100 },
	actions: {
		reserve: (c, amount: number) => {
			c.state.stock -= amount;
		},
	},
});
const order = actor({
	state: {},
	actions: {
		process: async (c) => {
			const own = c.client<typeof later>();
			const reserved = await own.inventory.getOrCreate(["main"]).reserve(1);
			expectTypeOf(reserved).toBeVoid();
		},
	},
});
const later = new Registry({ use: { inventory, order } });
expectTypeOf(createClient<typeof later>().order.get().process()).toEqualTypeOf<Promise<void>>();
expectTypeOf<ExtractActorsFromRegistry<typeof later>>().toEqualTypeOf<{
	inventory: typeof inventory;
	order: typeof order;
}>();
