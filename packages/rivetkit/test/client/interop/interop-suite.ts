import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	ActorConnDisposed,
	ActorError,
	type Client,
	createClient,
	type Encoding,
} from "../../../src/client/index.ts";

/** A server with the interop actors; see `actors.ts`. */
export interface InteropServer {
	readonly endpoint: string;
	/** Ends abruptly: no handshake, no clean close. Storage stays. */
	stop(): Promise<void>;
	/** Comes back on the same port with the same storage. */
	restart(): Promise<void>;
	/** Ends and removes everything. */
	dispose(): Promise<void>;
}

export interface InteropOptions {
	/** Whether calls in flight survive a lost connection. */
	readonly recognisesRepeats: boolean;
}

/**
 * What a user of `rivetkit/client` may rely on, against any server (contract: protocol 9, no. 77).
 * Runs against the published server and against ours.
 */
export function interopSuite(
	name: string,
	startServer: () => Promise<InteropServer>,
	encoding: Encoding,
	{ recognisesRepeats }: InteropOptions,
): void {
	describe(`${name}, ${encoding}`, () => {
		let server: InteropServer;
		let client: Client;
		let keys = 0;
		const newKey = () => [`${encoding}-${keys++}`, "with/slash", ""];
		const newRoom = (options?: object) => client.room!.getOrCreate(newKey(), options);

		beforeAll(async () => {
			server = await startServer();
			client = createClient({ endpoint: server.endpoint, encoding });
		});
		afterAll(async () => {
			await client?.dispose();
			await server?.dispose();
		});

		test("creates with input, gets, resolves and finds by id", async () => {
			const key = newKey();
			const created = await client.room!.create(key, { input: { title: "first" } });
			expect(await created.get()).toEqual({ count: 0, title: "first", key });
			expect((await client.room!.get(key).get()).title).toBe("first");
			const again = client.room!.getOrCreate(key, { createWithInput: { title: "ignored" } });
			expect((await again.get()).title).toBe("first");
			const id = await again.resolve();
			expect((await client.room!.getForId(id).get()).title).toBe("first");
		});

		test("a taken key, a missing actor and an id of another name have their codes", async () => {
			const key = newKey();
			const id = await (await client.room!.create(key)).resolve();
			for (const [call, code] of [
				[() => client.room!.create(key), "duplicate_key"],
				[() => client.room!.get(newKey()).get(), "not_found"],
				[() => client.worker!.getForId(id).done(), "not_found"],
			] as const) {
				const failure = await call().catch((error: unknown) => error);
				expect(failure).toBeInstanceOf(ActorError);
				expect(failure).toMatchObject({ group: "actor", code });
			}
		});

		test("round-trips the values its encoding carries, over HTTP and WebSocket", async () => {
			const plain = [
				null,
				true,
				0,
				-1.5,
				2 ** 40,
				"text ✓ 漢",
				{ a: [1, { b: "c" }] },
				["$price", 3],
				["$BigInt", "9"],
				7n,
				2n ** 64n,
				-(2n ** 64n) - 1n,
				new Uint8Array([0, 255]),
			];
			const rich = [
				undefined,
				Number.NaN,
				Number.NEGATIVE_INFINITY,
				new Date(1_700_000_000_123),
				new Map<unknown, unknown>([["k", new Set([1])]]),
				new Float64Array([1.5, -2]),
				/a+/gi,
			];
			const values = encoding === "json" ? plain : [...plain, ...rich];
			const handle = newRoom();
			expect(await handle.echo(...values)).toEqual(values);
			const connection = handle.connect();
			expect(await connection.echo(...values)).toEqual(values);
			await connection.dispose();
		});

		test("an action that returns nothing resolves", async () => {
			const nothing = [undefined, null];
			const handle = newRoom();
			const connection = handle.connect();
			expect(nothing).toContain(await handle.nothing());
			expect(nothing).toContain(await connection.nothing());
			await connection.dispose();
		});

		test("user errors come whole, internal errors masked, over HTTP and WebSocket", async () => {
			const handle = newRoom();
			const connection = handle.connect();
			for (const target of [handle, connection]) {
				const refused = await target.refuse().catch((error: unknown) => error);
				expect(refused).toBeInstanceOf(ActorError);
				expect(refused).toMatchObject({
					group: "user",
					code: "nope",
					message: "Not today",
					metadata: { n: 1 },
				});
				const crashed = await target.crash().catch((error: unknown) => error);
				expect(crashed).toMatchObject({ group: "rivetkit", code: "internal_error" });
				expect((crashed as Error).message).not.toContain("secret");
				await expect(target.missing()).rejects.toMatchObject({
					group: "action",
					code: "not_found",
				});
			}
			await connection.dispose();
		});

		test("params reach the actor, whatever is in them", async () => {
			const user = `(a) "b", c; é 漢 😀`;
			const handle = newRoom({ params: { user } });
			expect(await handle.whoAmI()).toBe(user);
			const connection = handle.connect();
			expect(await connection.whoAmI()).toBe(user);
			await connection.dispose();
		});

		test("a refused connection reports the actor's error and stops", async () => {
			const handle = newRoom({ params: { user: "banned" } });
			await expect(handle.whoAmI()).rejects.toMatchObject({
				code: "banned",
				metadata: { until: 7 },
			});
			const connection = handle.connect();
			const told: ActorError[] = [];
			connection.onError((error) => told.push(error));
			await expect(connection.whoAmI()).rejects.toMatchObject({ group: "user", code: "banned" });
			expect(connection.connStatus).toBe("disconnected");
			expect(told).toMatchObject([{ group: "user", code: "banned" }]);
			await connection.dispose();
		});

		test("events come in order, to those who subscribed, before the answer that follows", async () => {
			const handle = newRoom();
			const connection = handle.connect();
			const heard: unknown[] = [];
			connection.on("counted", (count) => heard.push(count));
			connection.once("pair", (...args) => heard.push(args));
			connection.on("direct", (text) => heard.push(text));
			await connection.add(1);
			await connection.pair();
			await connection.pair();
			await connection.direct();
			await connection.add(2);
			expect(heard).toEqual([1, ["a", 1], "to you", 3]);
			expect(connection.connId).toMatch(/^[0-9a-f-]{36}$/);
			expect(connection.actorId).toBe(await handle.resolve());
			await connection.dispose();
			await expect(connection.add(1)).rejects.toBeInstanceOf(ActorConnDisposed);
		});

		test("many calls at once are each answered with their own result", async () => {
			const connection = newRoom().connect();
			const answers = Array.from({ length: 200 }, (_, index) => connection.echo(index));
			expect(await Promise.all(answers)).toEqual(answers.map((_, index) => [index]));
			await connection.dispose();
		});

		test("queue messages are stored, completed, and time out", async () => {
			const worker = client.worker!.getOrCreate(newKey());
			expect(await worker.send("jobs", { n: 1 })).toBeUndefined();
			expect(await worker.send("jobs", { n: 2 }, { wait: true, timeout: 30_000 })).toEqual({
				status: "completed",
				response: { did: { n: 2 } },
			});
			expect(await worker.done()).toEqual([{ n: 1 }, { n: 2 }]);
			const unheard = await worker.send("idle", 1, { wait: true, timeout: 50 });
			expect(unheard?.status).toBe("timedOut");
			expect(unheard?.response).toBeUndefined();
			const connection = worker.connect();
			expect(await connection.send("jobs", 3, { wait: true, timeout: 30_000 })).toEqual({
				status: "completed",
				response: { did: 3 },
			});
			await connection.dispose();
		});

		test("raw HTTP keeps method, path, query, headers and body", async () => {
			const response = await newRoom().fetch("a%2Fb?x=%20", {
				method: "PATCH",
				headers: { "x-custom": "1" },
				body: "hello",
			});
			expect(response.status).toBe(201);
			expect(response.headers.get("x-from")).toBe("room");
			expect(await response.json()).toEqual({
				method: "PATCH",
				target: "/a%2Fb?x=%20",
				custom: "1",
				body: "hello",
			});
		});

		test("raw WebSockets carry text, bytes and close codes", async () => {
			const socket = await newRoom().webSocket("/stream?x=1");
			socket.binaryType = "arraybuffer";
			const received: unknown[] = [];
			const closed = new Promise<CloseEvent>((resolve) =>
				socket.addEventListener("close", (event) => resolve(event as CloseEvent)),
			);
			socket.addEventListener("open", () => socket.send("text"));
			socket.addEventListener("message", ({ data }) => {
				received.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
				socket.send(received.length === 1 ? new Uint8Array([1, 2]) : "close");
			});
			const { code, reason } = await closed;
			expect(received).toEqual(["text", [1, 2]]);
			expect([code, reason]).toEqual([4001, "as you wish"]);
		});

		test("the gateway URL works with plain HTTP", async () => {
			const url = await newRoom().getGatewayUrl();
			const response = await fetch(`${url}/request/plain`);
			expect(((await response.json()) as { target: string }).target).toBe("/plain");
		});

		test("a kicked connection comes back with a new id", async () => {
			const connection = newRoom().connect();
			await connection.whoAmI();
			const first = connection.connId;
			const reopened = new Promise<void>((resolve) => connection.onOpen(resolve));
			await connection.kick().catch(() => {});
			await reopened;
			expect(connection.connId).not.toBe(first);
			expect(await connection.whoAmI()).toBe("nobody");
			await connection.dispose();
		});

		test("oversize messages fail with their codes", async () => {
			const handle = newRoom();
			await expect(handle.echo("x".repeat(70_000))).rejects.toMatchObject({
				group: "message",
				code: "incoming_too_long",
			});
			await expect(handle.large(1_100_000)).rejects.toMatchObject({
				group: "message",
				code: "outgoing_too_long",
			});
			const connection = handle.connect();
			await expect(connection.large(1_100_000)).rejects.toMatchObject({
				code: "outgoing_too_long",
			});
			await expect(connection.echo("x".repeat(70_000))).rejects.toMatchObject({
				code: "incoming_too_long",
			});
			expect(await connection.echo("small")).toEqual(["small"]);
			await connection.dispose();
		});

		test("a key-based handle follows an actor that is destroyed and created again", async () => {
			const key = newKey();
			const handle = client.room!.getOrCreate(key);
			expect(await handle.add(5)).toBe(5);
			await handle.destroy();
			await expect.poll(async () => (await handle.get()).count).toBe(0);
		});

		test("a server that is killed and comes back: reconnect, subscriptions, calls", async () => {
			const handle = newRoom();
			const connection = handle.connect();
			const heard: unknown[] = [];
			connection.on("counted", (count) => heard.push(count));
			await connection.add(1);
			const inFlight = connection.sleep(1_000).then(
				() => "answered",
				(error: Error) => error.message,
			);
			// Answered means that the server has read the frame before it as well.
			await handle.get();
			const closed = new Promise<void>((resolve) => connection.onClose(resolve));
			await server.stop();
			await closed;
			expect(connection.isConnected).toBe(false);
			const whileDown = connection.add(10);
			await server.restart();
			expect(await whileDown).toBeGreaterThanOrEqual(10);
			expect(heard.at(-1)).toBe(await whileDown);
			expect(await inFlight).toMatch(recognisesRepeats ? /^answered$/ : /^Connection lost/);
			await connection.dispose();
		});
	});
}
