// Inspector requests ask the host before anybody is woken (protocol 7.2; what the host answers is its own).
import {
	ActorGone,
	type ActorRequest,
	type ActorResponse,
	type InspectedActor,
	type InspectionTarget,
	type PlainSocket,
	type StartAgain,
} from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { engineLimits } from "../../src/common/limits.ts";
import { Inspections, type InspectionsOptions } from "../../src/gateway/inspections.ts";
import type { Placement } from "../../src/placement/placement.ts";
import type { Store } from "../../src/store/store.ts";
import { testEngine } from "../helpers/engine.ts";
import { TestClock } from "../helpers/test-clock.ts";

async function inspected(
	answer: (actor: InspectedActor, request: ActorRequest) => string | null,
	starts: StartAgain[] = [],
) {
	const t = testEngine();
	const seen: InspectedActor[] = [];
	const inspect = async (actor: InspectedActor, request: ActorRequest, again: StartAgain) => {
		starts.push(again);
		seen.push(actor);
		const body = answer(actor, request);
		return body === null ? null : { status: 200, headers: {}, body };
	};
	Object.assign(t.host, { inspect });
	const { url } = await t.listen();
	const get = async (actorId: string, path: string) => {
		const response = await fetch(`${url}/gateway/${actorId}${path}`);
		return { status: response.status, body: await response.text() };
	};
	return Object.assign(t, { seen, get });
}

test("a sleeping actor is not woken for what the host can tell, and is for what it cannot", async () => {
	await using t = await inspected((_, { path }) => (path.endsWith("/wake") ? null : "stored"));
	const actorId = await t.create(["a", "b"]);
	expect(await t.get(actorId, "/inspector/state")).toEqual({
		status: 200,
		body: "GET /inspector/state",
	});
	expect(t.seen).toEqual([]);
	await t.host.stop(actorId, "sleep");
	expect(await t.get(actorId, "/inspector/state?x=1")).toEqual({ status: 200, body: "stored" });
	expect(t.host.live.size).toBe(0);
	expect(t.seen).toEqual([
		{
			assignment: expect.objectContaining({
				actorId,
				name: "counter",
				key: ["a", "b"],
				generation: 0,
				initialised: true,
			}),
			placement: "resting",
			startTs: expect.any(Number),
			sleepTs: expect.any(Number),
			retryTs: 0,
		},
	]);
	expect((await t.get(actorId, "/inspector/wake")).body).toBe("GET /inspector/wake");
	expect(t.host.live.size).toBe(1);
});

test("query paths are looked up, and their actors not woken either", async () => {
	await using t = await inspected(() => "stored");
	await t.host.stop(await t.create(["k"]), "sleep");
	const query = "rvt-namespace=default&rvt-method=get&rvt-key=k";
	expect((await t.get("counter", `/inspector/state?${query}`)).body).toBe("stored");
	expect(t.host.live.size).toBe(0);
	const missing = "rvt-namespace=default&rvt-method=get&rvt-key=none";
	expect((await t.get("counter", `/inspector/state?${missing}`)).status).toBe(404);
});

test("an actor that is gone is not found, in JSON whatever was asked for", async () => {
	await using t = await inspected(() => "stored");
	const actorId = await t.create();
	await t.engine.destroy(actorId);
	for (const id of [actorId, "nobody"]) {
		const { status, body } = await t.get(id, "/inspector/state");
		expect([status, JSON.parse(body).code]).toEqual([404, "not_found"]);
	}
	expect(t.seen).toEqual([]);
});

test("an actor on its way in, and one that waits after failed starts, are told apart", async () => {
	await using t = await inspected(() => "stored");
	const actorId = await t.create();
	await t.host.stop(actorId, "sleep");
	let fail!: () => void;
	t.host.onStart = () =>
		new Promise((_, reject) => {
			fail = () => reject(new Error("no"));
		});
	for (let attempt = 1; attempt <= 2; attempt++) {
		const called = t.get(actorId, "/health");
		await expect.poll(() => t.host.starts.length).toBe(attempt + 1);
		await t.get(actorId, "/inspector/state");
		expect(t.seen.at(-1)).toMatchObject({ placement: "starting" });
		fail();
		expect((await called).status).toBe(500);
	}
	await t.get(actorId, "/inspector/state");
	expect(t.seen.at(-1)).toMatchObject({ placement: "resting" });
	expect(t.seen.at(-1)!.retryTs).toBeGreaterThan(0);
});

test("a host hears whether the last start failed, and has the actor start at once", async () => {
	const starts: StartAgain[] = [];
	await using t = await inspected(() => "stored", starts);
	const actorId = await t.create();
	await t.host.stop(actorId, "sleep");
	await t.get(actorId, "/inspector/state");
	const again = starts[0]!;
	expect([again.place, again.isFailing()]).toEqual(["here", false]);
	t.host.onStart = () => Promise.reject(new Error("no"));
	for (let attempt = 1; attempt <= 3; attempt++) await t.get(actorId, "/health");
	// The third waited for the end of the pause.
	expect(t.host.starts.length).toBe(1 + 2);
	expect(again.isFailing()).toBe(true);
	const starting = again.start();
	// Still so, while it is not known to run.
	expect(again.isFailing()).toBe(true);
	await expect(starting).rejects.toThrow("no");
	expect(t.host.starts.length).toBe(1 + 3);
	t.host.onStart = () => {};
	await again.start();
	expect(again.isFailing()).toBe(false);
});

test("a host that cannot be asked has its actors woken", async () => {
	await using t = testEngine();
	const { url } = await t.listen();
	const actorId = await t.create();
	await t.host.stop(actorId, "sleep");
	const response = await fetch(`${url}/gateway/${actorId}/inspector/state`);
	expect(await response.text()).toBe("GET /inspector/state");
	expect(t.host.live.size).toBe(1);
});

test("an inspector's socket goes to the host without waking its actor, and closes with the engine", async () => {
	const t = testEngine();
	const { url } = await t.listen();
	const actorId = await t.create();
	await t.host.stop(actorId, "sleep");
	const seen: { target: InspectionTarget; socket: PlainSocket }[] = [];
	Object.assign(t.host, {
		inspectSocket: async (target: InspectionTarget, _: unknown, socket: PlainSocket) => {
			socket.listen({ onMessage: (message) => socket.send(message), onClose: () => {} });
			seen.push({ target, socket });
		},
	});
	const ws = new WebSocket(
		`${url.replace("http", "ws")}/gateway/${actorId}/inspector/connect/?a=1`,
	);
	const closed = new Promise<number>((resolve) => ws.on("close", resolve));
	await new Promise((resolve) => ws.once("open", resolve));
	const echoed = new Promise((resolve) => ws.once("message", (data) => resolve(String(data))));
	ws.send("hello");
	expect(await echoed).toBe("hello");
	expect(t.host.live.size).toBe(0);
	const [{ target }] = seen as [(typeof seen)[number]];
	expect(await target.look()).toMatchObject({ placement: "resting" });
	await target.wake();
	expect(await target.look()).toMatchObject({ placement: "live" });
	await t.engine.destroy(actorId);
	await expect(target.look()).rejects.toMatchObject({ code: "not_found" });
	await t.engine.close();
	expect(await closed).toBe(1001);
});

test("a host that takes no inspector sockets gets them as any others", async () => {
	await using t = testEngine();
	const { url } = await t.listen();
	const actorId = await t.create();
	await t.host.stop(actorId, "sleep");
	t.host.onSocket = (upgrade, socket) => socket.close(1000, upgrade.path);
	const ws = new WebSocket(`${url.replace("http", "ws")}/gateway/${actorId}/inspector/connect`);
	const reason = await new Promise((resolve) => ws.on("close", (_, text) => resolve(String(text))));
	expect(reason).toBe("/inspector/connect");
	expect(t.host.live.size).toBe(1);
});

describe("what is over is let go of: the engine closes without a word to it", () => {
	type Follow = (target: InspectionTarget) => ActorResponse | Promise<ActorResponse>;

	async function following(follow: Follow) {
		const t = testEngine();
		const { url } = await t.listen();
		const targets: InspectionTarget[] = [];
		Object.assign(t.host, {
			follow: async (target: InspectionTarget) => {
				targets.push(target);
				return follow(target);
			},
		});
		const get = () => fetch(`${url}/gateway/anybody/inspector/stream`);
		const told = async () => {
			await t.engine.close();
			return targets.map(({ closing }) => closing.aborted);
		};
		return { t, url, get, told };
	}

	const stream = (source: UnderlyingDefaultSource<Uint8Array>): ActorResponse => ({
		status: 200,
		headers: {},
		body: new ReadableStream(source),
	});

	test("a stream that goes on is told", async () => {
		const { get, told } = await following(({ closing }) =>
			stream({
				start: (controller) => closing.addEventListener("abort", () => controller.close()),
			}),
		);
		await get();
		expect(await told()).toEqual([true]);
	});

	test("a stream that is refused", async () => {
		const { get, told } = await following(() => ({ status: 401, headers: {}, body: "no" }));
		expect((await get()).status).toBe(401);
		expect(await told()).toEqual([false]);
	});

	test("a stream that cannot be opened", async () => {
		const { get, told } = await following(() => Promise.reject(new Error("no")));
		expect((await get()).status).toBe(500);
		expect(await told()).toEqual([false]);
	});

	test("a stream that has ended by itself", async () => {
		const { get, told } = await following(() =>
			stream({
				start(controller) {
					controller.enqueue(Buffer.from("last"));
					controller.close();
				},
			}),
		);
		expect(await (await get()).text()).toBe("last");
		expect(await told()).toEqual([false]);
	});

	test("a stream that breaks off", async () => {
		const { get, told } = await following(() =>
			stream({ pull: (controller) => controller.error(new Error("broken")) }),
		);
		await expect(get().then((response) => response.text())).rejects.toThrow();
		expect(await told()).toEqual([false]);
	});

	test("a stream whose reader had left before it was opened", async () => {
		const targets: InspectionTarget[] = [];
		const follow = async (target: InspectionTarget) => {
			targets.push(target);
			return stream({});
		};
		const inspections = new Inspections({
			store: {} as Store,
			placement: { host: { follow } } as unknown as Placement,
			clock: new TestClock(),
			limits: engineLimits(),
		});
		const [path, signal] = ["/inspector/stream", AbortSignal.abort()];
		await inspections.follow("anybody", { method: "GET", path, signal } as ActorRequest);
		inspections.closeAll();
		expect(targets.map(({ closing }) => closing.aborted)).toEqual([false]);
	});

	test.each([
		["refused", (socket: PlainSocket) => socket.close(1011, "inspector.unauthorized")],
		[
			"not taken",
			() => {
				throw new Error("no");
			},
		],
	])("a socket that is %s", async (_, take) => {
		const { t, url, told } = await following(() => stream({}));
		const targets: InspectionTarget[] = [];
		Object.assign(t.host, {
			inspectSocket: async (target: InspectionTarget, __: unknown, socket: PlainSocket) => {
				targets.push(target);
				take(socket);
			},
		});
		const ws = new WebSocket(`${url.replace("http", "ws")}/gateway/anybody/inspector/connect`);
		expect(await new Promise((resolve) => ws.on("close", resolve))).toBe(1011);
		await told();
		expect(targets.map(({ closing }) => closing.aborted)).toEqual([false]);
	});
});

test("who looks at an actor that ends just then does not wake it, and who needs it does", async () => {
	await using t = await inspected((_, { path }) => (path.endsWith("/wake") ? null : "stored"));
	const actorId = await t.create();
	const { onRequest } = t.host;
	const endsFirst = () => {
		t.host.onRequest = (_, { generation }) => {
			t.host.onRequest = onRequest;
			t.host.live.delete(actorId);
			t.host.events.stopped(actorId, generation, "sleep");
			throw new ActorGone(actorId);
		};
	};
	endsFirst();
	expect((await t.get(actorId, "/inspector/state")).body).toBe("stored");
	expect(t.host.live.size).toBe(0);
	await t.get(actorId, "/health");
	endsFirst();
	expect((await t.get(actorId, "/inspector/wake")).body).toBe("GET /inspector/wake");
	expect(t.host.live.size).toBe(1);
});

test("an actor that is gone when it is looked at is started, as one that is gone when it is called", async () => {
	let looks = 0;
	await using t = await inspected((actor) => {
		looks++;
		throw new ActorGone(actor.assignment.actorId);
	});
	const actorId = await t.create();
	await t.host.stop(actorId, "sleep");
	expect(await t.get(actorId, "/inspector/state")).toEqual({
		status: 200,
		body: "GET /inspector/state",
	});
	expect(looks).toBe(1);
});

test("to another node, an actor that ends while it is asked is told of as it is then", async () => {
	const gone: unknown[] = [];
	const host = {
		request: () => Promise.reject(new ActorGone("a")),
		inspect: async ({ placement }: InspectedActor) => ({
			status: 200,
			headers: {},
			body: placement,
		}),
	};
	const live = { actorId: "a", host };
	const inspections = new Inspections({
		store: { actorById: async () => ({ destroyTs: null, startTs: 1, sleepTs: null }) },
		placement: {
			host,
			liveHere: () => live,
			gone: (incarnation: unknown) => gone.push(incarnation),
			phase: () => "stopping",
			assignmentOf: () => ({}),
			retryTs: () => 0,
		},
	} as unknown as InspectionsOptions);
	const request = { method: "GET", path: "/inspector/state" } as ActorRequest;
	expect(await inspections.here("a", request)).toMatchObject({ status: 200, body: "stopping" });
	expect(gone).toEqual([live]);
});
