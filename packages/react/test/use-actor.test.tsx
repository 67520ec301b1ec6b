import "./support/dom.ts";

import { StrictMode, Suspense, useEffect, useState, version } from "react";
import { version as versionOfDom } from "react-dom";
import { renderToString } from "react-dom/server";
import { createClient } from "rivetkit/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../rivetkit/test/support/eventually.ts";
import { createRivetKit, createRivetKitWithClient, type UseActorResult } from "../src/index.ts";
import { hydrate, now, render, unmountAll } from "./support/render.ts";
import { type RoomsRegistry, startRooms } from "./support/room.ts";

let rooms: Awaited<ReturnType<typeof startRooms>>;
let clients = 0;
let useActor: ReturnType<typeof createRivetKit<RoomsRegistry>>["useActor"];
let client: ReturnType<typeof createClient<RoomsRegistry>>;
let key: string[];

beforeAll(async () => {
	rooms = await startRooms();
	client = createClient<RoomsRegistry>(rooms.url);
});
afterAll(async () => {
	await client.dispose();
	await rooms.registry.shutdown();
});
beforeEach(({ task }) => {
	key = [task.name, String(clients++)];
	({ useActor } = createRivetKitWithClient(client));
});
afterEach(unmountAll);

type Room = UseActorResult<RoomsRegistry, "room">;

const until = (check: () => void | Promise<void>) => eventually(check);

/** A component that keeps what its last rendering saw. */
function watcher() {
	const seen: { now: Room; renderings: number } = { now: undefined as never, renderings: 0 };
	function Watcher(options: Partial<Parameters<typeof useActor<"room">>[0]>) {
		seen.now = useActor({ name: "room", key, ...options });
		seen.renderings++;
		return <p>{seen.now.connStatus}</p>;
	}
	return { seen, Watcher };
}

const room = () => client.room.getOrCreate(key);
const connected = (seen: { now: Room }) =>
	until(() => expect(seen.now.connStatus).toBe("connected"));

test("this runs on the React that its project names", () => {
	const major = process.env.REACT_MAJOR ?? "19";
	expect([version, versionOfDom].map((of) => of.split(".")[0])).toEqual([major, major]);
});

describe("useActor (A45)", () => {
	test("is idle while rendering, connects on mount, and is left on unmount", async () => {
		const { seen, Watcher } = watcher();
		const statuses: string[] = [];
		const page = render(<Watcher />);
		statuses.push(seen.now.connStatus);
		await connected(seen);
		expect(seen.now).toMatchObject({ error: null, isConnected: true, opts: { name: "room", key } });
		expect(seen.now.handle).not.toBeNull();
		expect(await seen.now.connection?.joins()).toBe(1);
		expect(await room().present()).toBe(1);
		page.unmount();
		await until(async () => expect(await room().present()).toBe(0));
	});

	test("returns the same object until something changes", async () => {
		const { seen, Watcher } = watcher();
		const page = render(<Watcher />);
		await connected(seen);
		const before = seen.now;
		// The same options, written anew.
		page.rerender(<Watcher params={undefined} noCreate={undefined} />);
		expect(seen.now).toBe(before);
		expect(await room().joins()).toBe(1);
	});

	test("components with the same options share one connection, also under Strict Mode", async () => {
		const one = watcher();
		const two = watcher();
		const page = render(
			<StrictMode>
				<one.Watcher />
				<two.Watcher />
			</StrictMode>,
		);
		await connected(one.seen);
		await connected(two.seen);
		expect(two.seen.now.connection).toBe(one.seen.now.connection);
		expect(await room().joins()).toBe(1);
		page.rerender(
			<StrictMode>
				<two.Watcher />
			</StrictMode>,
		);
		expect(await room().present()).toBe(1);
		page.unmount();
		await until(async () => expect(await room().present()).toBe(0));
	});

	test("a component that moves in the tree keeps the connection", async () => {
		const { seen, Watcher } = watcher();
		const page = render(
			<div>
				<Watcher />
			</div>,
		);
		await connected(seen);
		const { connection } = seen.now;
		page.rerender(
			<section>
				<Watcher />
			</section>,
		);
		await connected(seen);
		expect(seen.now.connection).toBe(connection);
		expect(await room().joins()).toBe(1);
	});

	test("an action streams to a component, through the handle and the connection, and ends when it goes", async () => {
		function Counter({ through }: { through: "handle" | "connection" }) {
			const subject = useActor({ name: "room", key })[through];
			const [items, setItems] = useState<number[]>([]);
			useEffect(() => {
				const stop = new AbortController();
				const read = async () => {
					const call = { name: "count", args: [3], signal: stop.signal } as const;
					for await (const n of subject!.action<readonly [3], number>(call))
						setItems((before) => [...before, n]);
				};
				if (subject) read().catch((error) => expect(error).toBe(stop.signal.reason));
				return () => stop.abort();
			}, [subject]);
			return <p>{items.join(" ")}</p>;
		}
		for (const [index, through] of (["handle", "connection"] as const).entries()) {
			const page = render(<Counter through={through} />);
			await until(() => expect(page.container.textContent).toBe("1 2 3"));
			page.unmount();
			await until(async () => expect(await room().left()).toBe(index + 1));
		}
	});

	test("a hundred fast mounts and unmounts leave nothing", async () => {
		const { seen, Watcher } = watcher();
		for (let n = 0; n < 100; n++) render(<Watcher />).unmount();
		await room().title();
		await until(async () => expect(await room().present()).toBe(0));
		const page = render(<Watcher />);
		await connected(seen);
		expect(await room().present()).toBe(1);
		page.unmount();
		await until(async () => expect(await room().present()).toBe(0));
	});

	test("other params are another connection", async () => {
		const { seen, Watcher } = watcher();
		const page = render(<Watcher params={{ user: "ann" }} />);
		await connected(seen);
		const { connection, hash } = seen.now;
		page.rerender(<Watcher params={{ user: "bob" }} />);
		await connected(seen);
		expect(seen.now.connection).not.toBe(connection);
		expect(seen.now.hash).not.toBe(hash);
		await until(async () => expect(await room().present()).toBe(1));
	});

	test("options that keep the hash are adopted without reconnecting", async () => {
		const { seen, Watcher } = watcher();
		const page = render(<Watcher createWithInput={{ title: "first" }} />);
		await connected(seen);
		page.rerender(<Watcher createWithInput={{ title: "second" }} />);
		await until(() => expect(seen.now.opts.createWithInput).toEqual({ title: "second" }));
		expect(seen.now.connStatus).toBe("connected");
		expect(await room().joins()).toBe(1);
		expect(await room().title()).toBe("first");
	});

	test("enabled: false disconnects and is idle; enabling connects again", async () => {
		const { seen, Watcher } = watcher();
		const page = render(<Watcher enabled={false} />);
		expect(seen.now).toMatchObject({ connStatus: "idle", connection: null, handle: null });
		page.rerender(<Watcher enabled />);
		await connected(seen);
		page.rerender(<Watcher enabled={false} />);
		expect(seen.now).toMatchObject({ connStatus: "idle", connection: null });
		await until(async () => expect(await room().present()).toBe(0));
		page.rerender(<Watcher enabled />);
		await connected(seen);
		expect(await room().joins()).toBe(2);
	});

	test("a component that is not enabled takes nothing from one that is", async () => {
		const on = watcher();
		const off = watcher();
		render(
			<>
				<on.Watcher />
				<off.Watcher enabled={false} />
			</>,
		);
		await connected(on.seen);
		expect(off.seen.now.connStatus).toBe("idle");
		expect(off.seen.now.connection).toBeNull();
	});

	test("noCreate does not create; the error says what is missing and clears when it is there", async () => {
		const { seen, Watcher } = watcher();
		const page = render(<Watcher noCreate />);
		await until(() => expect(seen.now.error).toMatchObject({ group: "actor", code: "not_found" }));
		expect(seen.now.isConnected).toBe(false);
		await room().title();
		page.rerender(<Watcher noCreate enabled={false} />);
		await until(() => expect(seen.now.error).toBeNull());
		page.rerender(<Watcher noCreate />);
		await connected(seen);
		expect(seen.now.error).toBeNull();
	});

	test("a refusal is the error", async () => {
		const { seen, Watcher } = watcher();
		render(<Watcher params={{ user: "banned" }} />);
		await until(() =>
			expect(seen.now.error).toMatchObject({ code: "banned", message: "You are banned" }),
		);
		expect(seen.now.connStatus).toBe("disconnected");
	});

	test("what fails before connecting is the error, and is not tried again", async () => {
		({ useActor } = createRivetKit<RoomsRegistry>("ftp://nowhere"));
		const { seen, Watcher } = watcher();
		const page = render(<Watcher />);
		expect(seen.now.connStatus).toBe("disconnected");
		expect(seen.now.error?.message).toContain("ftp");
		const { error } = seen.now;
		page.rerender(<Watcher createWithInput={{ title: "x" }} />);
		expect(seen.now.error).toBe(error);
	});
});

describe("useEvent", () => {
	test("calls the handler of the latest rendering, once per event", async () => {
		const heard: string[] = [];
		let actorNow: Room | undefined;
		let setTone: (tone: string) => void = () => {};
		function Listener() {
			const actor = useActor({ name: "room", key });
			const [tone, set] = useState("calm");
			actorNow = actor;
			setTone = set;
			actor.useEvent("said", (user, text) => {
				heard.push(`${tone} ${user}: ${text}`);
			});
			return null;
		}
		const page = render(
			<StrictMode>
				<Listener />
			</StrictMode>,
		);
		await until(() => expect(actorNow?.connStatus).toBe("connected"));
		await actorNow?.connection?.say("ann", "hello");
		await until(() => expect(heard).toEqual(["calm ann: hello"]));
		now(() => setTone("loud"));
		await actorNow?.connection?.say("ann", "again");
		await until(() => expect(heard).toEqual(["calm ann: hello", "loud ann: again"]));
		page.unmount();
		await room().say("ann", "nobody");
		expect(heard).toHaveLength(2);
	});

	test("listens on the new connection when it is another", async () => {
		const heard: string[] = [];
		let now: Room | undefined;
		function Listener({ user }: { user: string }) {
			now = useActor({ name: "room", key, params: { user } });
			now.useEvent("said", (_user, text) => {
				heard.push(`${user} hears ${text}`);
			});
			return null;
		}
		const page = render(<Listener user="ann" />);
		await until(() => expect(now?.connStatus).toBe("connected"));
		page.rerender(<Listener user="bob" />);
		await until(() => expect(now?.connStatus).toBe("connected"));
		await now?.connection?.say("x", "hi");
		await until(() => expect(heard).toEqual(["bob hears hi"]));
	});
});

describe("suspense", () => {
	test("shows the fallback until the connection is there", async () => {
		const { seen, Watcher } = watcher();
		const page = render(
			<StrictMode>
				<Suspense fallback={<p>one moment</p>}>
					<Watcher suspense />
				</Suspense>
			</StrictMode>,
		);
		expect(page.container.textContent).toBe("one moment");
		await until(() => expect(page.container.textContent).toBe("connected"));
		expect(seen.now.connection).not.toBeNull();
		expect(await room().joins()).toBe(1);
		page.unmount();
		await until(async () => expect(await room().present()).toBe(0));
	});

	test("ends with the error of a refusal", async () => {
		const { Watcher, seen } = watcher();
		const page = render(
			<Suspense fallback={<p>one moment</p>}>
				<Watcher suspense params={{ user: "banned" }} />
			</Suspense>,
		);
		await until(() => expect(page.container.textContent).toBe("disconnected"));
		expect(seen.now.error).toMatchObject({ code: "banned" });
	});

	test("does not begin again when the connection is lost later", async () => {
		const { seen, Watcher } = watcher();
		const page = render(
			<Suspense fallback={<p>one moment</p>}>
				<Watcher suspense />
			</Suspense>,
		);
		await until(() => expect(page.container.textContent).toBe("connected"));
		await room().dismiss();
		await until(() => expect(page.container.textContent).toBe("disconnected"));
		expect(seen.now.error).toBeNull();
	});
});

describe("on a server", () => {
	test("rendering does no I/O, makes no client, and is idle", () => {
		const fetches: unknown[] = [];
		const real = globalThis.fetch;
		globalThis.fetch = (...args) => {
			fetches.push(args);
			return real(...args);
		};
		try {
			({ useActor } = createRivetKit<RoomsRegistry>("ftp://would-be-an-error"));
			const { seen, Watcher } = watcher();
			expect(renderToString(<Watcher />)).toBe("<p>idle</p>");
			expect(seen.now).toMatchObject({ connection: null, error: null });
			expect(fetches).toEqual([]);
		} finally {
			globalThis.fetch = real;
		}
	});

	test("what it rendered is hydrated although the connection is there already", async () => {
		const { seen, Watcher } = watcher();
		const heard: unknown[] = [];
		function Listener() {
			const { connStatus, useEvent } = useActor({ name: "room", key });
			useEvent("said", (...said) => void heard.push(said));
			return <p>{connStatus}</p>;
		}
		const html = renderToString(<Listener />);
		render(<Watcher />);
		await connected(seen);
		const errors: unknown[] = [];
		const page = hydrate(html, <Listener />, (error) => errors.push(error));
		expect(errors).toEqual([]);
		await until(() => expect(page.container.textContent).toBe("connected"));
		await until(async () => {
			await room().say("ann", "hello");
			expect(heard).toContainEqual(["ann", "hello"]);
		});
		expect(await room().joins()).toBe(1);
	});

	test("with `suspense` the fallback is rendered, and the client is not used", () => {
		const used: PropertyKey[] = [];
		const watched = new Proxy(client, {
			get: (of, name) => {
				used.push(name);
				return Reflect.get(of, name);
			},
		});
		({ useActor } = createRivetKitWithClient(watched));
		const { Watcher } = watcher();
		const real = globalThis.window;
		Reflect.deleteProperty(globalThis, "window");
		try {
			const page = (
				<Suspense fallback={<p>one moment</p>}>
					<Watcher suspense />
				</Suspense>
			);
			expect(renderToString(page)).toContain("<p>one moment</p>");
			expect(used).toEqual([]);
		} finally {
			Object.defineProperty(globalThis, "window", {
				value: real,
				configurable: true,
				writable: true,
			});
		}
	});
});
