import { actor, createMemoryDriver, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../../rivetkit/test/support/eventually.ts";
import { type CreateRivetKitOptions, createRivetKit } from "../src/index.ts";

const room = actor({
	state: {},
	actions: {
		/** Calls over HTTP are connections, too, and not meant. */
		present: (c) => [...c.conns.values()].filter((conn) => conn.isHibernatable).length,
	},
});
const registry = setup({
	use: { room },
	driver: createMemoryDriver(),
	managerPort: 0,
	noWelcome: true,
	handleSignals: false,
	logging: { level: "silent" },
});
type Registry = typeof registry;

let client: ReturnType<typeof createClient<Registry>>;
let key: string[];
beforeAll(async () => {
	client = createClient<Registry>((await registry.listen()).url);
});
afterAll(async () => {
	await client.dispose();
	await registry.shutdown();
});
beforeEach(({ task }) => {
	key = [task.name];
});

const rivetkit = (options?: CreateRivetKitOptions) => createRivetKit<Registry>(client, options);
const present = () => client.room.getOrCreate(key).present();

test("opens with the first user, tells each change, and leaves nothing behind the last", async () => {
	const { getOrCreateActor, store } = rivetkit();
	const one = getOrCreateActor({ name: "room", key });
	const other = getOrCreateActor({ name: "room", key });
	const heard: string[] = [];
	const unsubscribe = one.state.subscribe(() => heard.push(one.state.get().connStatus));
	expect(store.hashes()).toEqual([]);
	expect(one.state.get()).toMatchObject({ connStatus: "idle", connection: null, hash: one.key });

	const leave = [one.mount(), other.mount()];
	await eventually(() => expect(one.state.get().connStatus).toBe("connected"));
	expect(other.state.get().connection).toBe(one.state.get().connection);
	expect(one.state.get()).toBe(one.state.get());
	expect(one.idle).toMatchObject({ connStatus: "idle", connection: null, hash: one.key });
	expect(one.idle).toBe(one.idle);
	expect(store.hashes()).toEqual([one.key]);
	expect(await present()).toBe(1);

	leave[0]!();
	leave[0]!();
	await new Promise((resolve) => setTimeout(resolve));
	expect(other.state.get().connStatus).toBe("connected");
	leave[1]!();
	await eventually(async () => expect(await present()).toBe(0));
	expect(store.hashes()).toEqual([]);
	expect(heard).toEqual(["connecting", "connected", "idle", "idle"]);
	unsubscribe();
});

test("who mounts and leaves at once, a hundred times, leaves nothing behind", async () => {
	const { getOrCreateActor, store } = rivetkit();
	for (let n = 0; n < 100; n++) getOrCreateActor({ name: "room", key }).mount()();
	await eventually(() => expect(store.hashes()).toEqual([]));
	expect(await present()).toBe(0);
});

test("`hashFunction` decides who shares a connection", async () => {
	const { getOrCreateActor, store } = rivetkit({
		hashFunction: ({ name, key }) => `${name} ${key}`,
	});
	const uses = ["ann", "bob"].map((user) =>
		getOrCreateActor({ name: "room", key, params: { user } }),
	);
	const leave = uses.map((use) => use.mount());
	expect(store.hashes()).toEqual([`room ${key}`]);
	await eventually(async () => expect(await present()).toBe(1));
	for (const each of leave) each();
});

test("the order of members of `params` is no other connection, a value is", () => {
	const { getOrCreateActor } = rivetkit();
	const hashOf = (params: object) => getOrCreateActor({ name: "room", key, params }).key;
	expect(hashOf({ a: 1, b: { c: 2, d: 3 } })).toBe(hashOf({ b: { d: 3, c: 2 }, a: 1 }));
	expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: 2 }));
	const one = getOrCreateActor({ name: "room", key: "a" }).key;
	expect(getOrCreateActor({ name: "room", key: ["a"] }).key).toBe(one);
	expect(getOrCreateActor({ name: "room", key: "a", noCreate: true }).key).not.toBe(one);
});
