import { afterEach, describe, expect, test } from "vitest";
import { HttpRequestError } from "../../src/client/errors.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { ScriptedServer, unusedPort } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

const servers: ScriptedServer[] = [];

async function startServer(): Promise<ScriptedServer> {
	const server = await ScriptedServer.start();
	servers.push(server);
	return server;
}

afterEach(async () => {
	for (const server of servers.splice(0)) await server.stop();
});

describe("metadata look-up", () => {
	test("starts when the client is made, names the namespace, and is shared by its endpoint", async () => {
		const server = await startServer();
		const metadata = new Map();
		const first = clientOf(server, { namespace: "n s" }, { metadata }).client;
		const second = clientOf(server, { namespace: "n s" }, { metadata }).client;
		await Promise.all([first.room!.get().act(), second.room!.get().act()]);
		expect(server.requestsTo("/metadata").map(({ target }) => target)).toEqual([
			"/metadata?namespace=n%20s",
		]);
		await Promise.all([first.dispose(), second.dispose()]);
	});

	test("is retried after 500, 1000, 2000, 4000, 8000, 15000, 15000 ms", async () => {
		const server = await startServer();
		let failures = 7;
		server.script = ({ path }) =>
			path === "/metadata" && failures-- > 0
				? { status: 503, statusText: "Busy", body: "later" }
				: undefined;
		const backgroundClock = new ManualClock();
		const { client, logged } = clientOf(server, {}, { backgroundClock });
		const call = client.room!.get().act();
		for (const delayMs of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
			await backgroundClock.timerOf(delayMs);
			backgroundClock.advance(delayMs);
		}
		expect(await call).toBe("done");
		expect(server.requestsTo("/metadata")).toHaveLength(8);
		expect(logged).toEqual([
			`HTTP request error: no RivetKit server answers at ${server.endpoint}/metadata: it answered 503 Busy. Retrying.`,
		]);
		await client.dispose();
	});

	test.each([
		["no JSON", "<html>", "its /metadata is not JSON"],
		["other JSON", "{}", "its /metadata is not that of a RivetKit server"],
		["null", "null", "its /metadata is not that of a RivetKit server"],
	])("does not take %s for an answer", async (_, body, cause) => {
		const server = await startServer();
		server.script = ({ path }) => (path === "/metadata" ? { body } : undefined);
		const clock = new ManualClock();
		const backgroundClock = new ManualClock();
		const { client } = clientOf(server, {}, { clock, backgroundClock });
		const call = client.room!.get().act();
		await backgroundClock.timerOf(500);
		clock.advance(15_000);
		await expect(call).rejects.toThrow(cause);
		await client.dispose();
	});

	test("operations fail after 15 seconds, naming endpoint and cause; later ones try at once", async () => {
		const port = await unusedPort();
		const clock = new ManualClock();
		const backgroundClock = new ManualClock();
		const endpoint = `http://127.0.0.1:${port}`;
		const { client } = clientOf({ endpoint }, {}, { clock, backgroundClock });
		const handle = client.room!.get();
		const call = handle.act();
		const resolution = handle.resolve();
		await backgroundClock.timerOf(500);
		clock.advance(15_000);
		const message = expect.stringMatching(
			new RegExp(`no RivetKit server answers at ${endpoint}/metadata: .*ECONNREFUSED`),
		);
		await expect(call).rejects.toMatchObject({
			name: "ActorError",
			group: "rivetkit",
			code: "internal_error",
			message,
		});
		await expect(resolution).rejects.toBeInstanceOf(HttpRequestError);
		servers.push(await ScriptedServer.start(port));
		expect(await handle.act()).toBe("done");
		await client.dispose();
	});

	test("an aborted operation stops waiting with the signal's reason", async () => {
		const endpoint = `http://127.0.0.1:${await unusedPort()}`;
		const { client } = clientOf({ endpoint });
		const signal = AbortSignal.abort(new Error("enough"));
		await expect(client.room!.get().action({ name: "act", args: [], signal })).rejects.toThrow(
			"enough",
		);
		const abort = new AbortController();
		const call = client.room!.get([], { signal: abort.signal }).act();
		abort.abort(new Error("too long"));
		await expect(call).rejects.toThrow("too long");
		await client.dispose();
	});

	test("sends clients to another endpoint, as another namespace and with another token", async () => {
		const server = await startServer();
		const other = await startServer();
		server.metadata = {
			clientEndpoint: `${other.endpoint}/base/`,
			clientNamespace: "prod",
			clientToken: "pub/1",
		};
		const { client } = clientOf(server, { namespace: "dev", token: "secret" });
		await client.room!.get("k").act();
		expect(server.requests.map(({ path }) => path)).toEqual(["/metadata"]);
		expect(other.requests.map(({ target }) => target)).toEqual([
			"/base/actors?name=room&key=k&namespace=prod",
			"/base/gateway/actor-1@pub%2F1/action/act",
		]);
		expect(other.requests[0]?.headers.authorization).toBe("Bearer pub/1");
		await client.dispose();
	});

	test("namespace and token count only together with an endpoint", async () => {
		const server = await startServer();
		server.metadata = { clientNamespace: "prod", clientToken: "pub" };
		const { client } = clientOf(server, { namespace: "dev", token: "mine" });
		await client.room!.get("k").act();
		expect(server.requests[1]?.target).toBe("/actors?name=room&key=k&namespace=dev");
		expect(server.requests[1]?.headers.authorization).toBe("Bearer mine");
		await client.dispose();
	});

	test("can be switched off", async () => {
		const server = await startServer();
		const { client } = clientOf(server, { disableMetadataLookup: true });
		await client.room!.get("k").act();
		expect(server.requestsTo("/metadata")).toEqual([]);
		await client.dispose();
	});

	test("stops when the last client is disposed, and goes on with the next one", async () => {
		const port = await unusedPort();
		const backgroundClock = new ManualClock();
		const metadata = new Map();
		const endpoint = `http://127.0.0.1:${port}`;
		const shared = { backgroundClock, metadata };
		const first = clientOf({ endpoint }, {}, shared).client;
		const second = clientOf({ endpoint }, {}, shared).client;
		await backgroundClock.timerOf(500);
		await first.dispose();
		expect(backgroundClock.runningDelays).toEqual([500]);
		await second.dispose();
		expect(backgroundClock.runningDelays).toEqual([]);
		servers.push(await ScriptedServer.start(port));
		const third = clientOf({ endpoint }, {}, shared).client;
		expect(await third.room!.get().act()).toBe("done");
		await third.dispose();
	});

	test("goes on for a call that waits for it when its client is disposed, and no longer", async () => {
		const port = await unusedPort();
		const backgroundClock = new ManualClock();
		const { client } = clientOf({ endpoint: `http://127.0.0.1:${port}` }, {}, { backgroundClock });
		const abort = new AbortController();
		const call = client.room!.get().act();
		const aborted = client.room!.get([], { signal: abort.signal }).act();
		await backgroundClock.timerOf(500);
		await client.dispose();
		abort.abort(new Error("enough"));
		await expect(aborted).rejects.toThrow("enough");
		expect(backgroundClock.runningDelays).toEqual([500]);
		servers.push(await ScriptedServer.start(port));
		backgroundClock.advance(500);
		expect(await call).toBe("done");
	});

	test("of a call after its client was disposed ends with that call", async () => {
		const backgroundClock = new ManualClock();
		const endpoint = `http://127.0.0.1:${await unusedPort()}`;
		const { client } = clientOf({ endpoint }, {}, { backgroundClock });
		await backgroundClock.timerOf(500);
		await client.dispose();
		const abort = new AbortController();
		const call = client.room!.get([], { signal: abort.signal }).act();
		await backgroundClock.timerOf(1_000);
		abort.abort(new Error("enough"));
		await expect(call).rejects.toThrow("enough");
		expect(backgroundClock.runningDelays).toEqual([]);
	});
});
