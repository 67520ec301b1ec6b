import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf } from "../support/wire-http.ts";

function chat() {
	const gate = new Gate();
	const runs: string[] = [];
	const subject = actor({
		state: { lines: [] as string[] },
		events: { line: event<string>() },
		actions: {
			say: (c, text: string) => {
				runs.push(text);
				c.state.lines.push(text);
				c.broadcast("line", text);
				return c.state.lines.length;
			},
			sayLater: async (c, text: string) => {
				runs.push(text);
				await gate.passed;
				return c.state.lines.push(text);
			},
			nap: (c) => c.sleep(),
			end: (c) => c.destroy(),
			lines: (c) => c.state.lines,
		},
	});
	return { subject, gate, runs };
}

describe("L35 no zombie sockets", () => {
	const clients = {
		"over the network": (runtime: TestRuntime) => runtime.client(),
		"in process": (runtime: TestRuntime) => runtime.localClient(),
	};

	it.each(Object.entries(clients))(
		"%s, a connection works again after a sleep, subscriptions included",
		async (_how, client) => {
			const { subject } = chat();
			await using runtime = await TestRuntime.start({ subject });
			const handle = client(runtime).subject!.getOrCreate(["room"]);
			const connection = handle.connect();
			const heard: string[] = [];
			connection.on("line", (text: string) => heard.push(text));
			await connection.say("before");
			await connection.nap();
			expect(await soon(connection.say("after"))).toBe(2);
			await eventually(() => expect(heard).toEqual(["before", "after"]));
			await connection.dispose();
		},
	);

	it.each(Object.entries(clients))(
		"%s, an onConnect that fails rejects calls with its masked error until it works again (ruling 5)",
		async (_how, client) => {
			let broken = true;
			let attempts = 0;
			const subject = actor({
				onConnect: () => {
					attempts++;
					if (broken) throw new Error("secret");
				},
				actions: { hello: () => "hello" },
			});
			await using runtime = await TestRuntime.start({ subject });
			const connection = client(runtime).subject!.getOrCreate(["k"]).connect();
			const masked = { group: "rivetkit", code: "internal_error", metadata: {} };
			const told: unknown[] = [];
			connection.onError((error: unknown) => told.push(error));
			await expect(soon(connection.hello())).rejects.toMatchObject(masked);
			expect(connection.connStatus).toBe("disconnected");
			// Not for good: the next attempt comes by itself.
			await expect(soon(connection.hello())).rejects.toMatchObject(masked);
			expect(attempts).toBe(2);
			expect(told).toMatchObject([masked, masked]);
			broken = false;
			expect(await soon(connection.hello())).toBe("hello");
			expect([connection.connStatus, attempts]).toEqual(["connected", 3]);
			await connection.dispose();
		},
	);

	it.each(Object.entries(clients))(
		"%s, an onConnect that refuses in public ends the connection (ruling 3)",
		async (_how, client) => {
			let attempts = 0;
			const subject = actor({
				onConnect: () => {
					attempts++;
					throw new UserError("members only", { code: "members_only" });
				},
				actions: { hello: () => "hello" },
			});
			await using runtime = await TestRuntime.start({ subject });
			const connection = client(runtime).subject!.getOrCreate(["k"]).connect();
			const refusal = { group: "user", code: "members_only", message: "members only" };
			const told: unknown[] = [];
			connection.onError((error: unknown) => told.push(error));
			await expect(soon(connection.hello())).rejects.toMatchObject(refusal);
			expect(connection.connStatus).toBe("disconnected");
			await expect(soon(connection.hello())).rejects.toMatchObject(refusal);
			expect([attempts, told.length]).toEqual([1, 1]);
			await connection.dispose();
		},
	);

	it("calls in flight when the actor sleeps are answered once, and run once", async () => {
		const { subject, gate, runs } = chat();
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client();
		const handle = client.subject!.getOrCreate(["room"]);
		const connection = handle.connect();
		const later = connection.sayLater("in flight");
		const queued = connection.say("queued behind it");
		await eventually(() => expect(runs).toEqual(["in flight"]));
		await handle.nap();
		gate.open();
		expect(await soon(later)).toBe(1);
		expect(await soon(queued)).toBe(2);
		expect(runs).toEqual(["in flight", "queued behind it"]);
		expect(await handle.lines()).toEqual(["in flight", "queued behind it"]);
	});

	it("a connection by key finds the fresh actor after a destroy, one by id ends", async () => {
		const { subject } = chat();
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client();
		const byKey = client.subject!.getOrCreate(["room"]).connect();
		await byKey.say("old");
		const id = await client.subject!.get(["room"]).resolve();
		const byId = runtime.localClient().subject!.getForId(id).connect();
		await byId.say("old");
		await byKey.end();
		await eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(id));
		expect(await soon(byKey.say("new"))).toBe(1);
		expect(await soon(outcomeOf(byId.say("never")))).toBe("actor.not_found");
	});
});
