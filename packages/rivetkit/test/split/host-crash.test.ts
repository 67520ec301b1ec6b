import { describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { soon as within } from "../support/gate.ts";
import { SplitRuntime } from "../support/split/split-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

/** A busy machine takes its time to start a process. */
const PATIENCE_MS = 20_000;
const soon = <T>(promise: Promise<T>) => within(promise, PATIENCE_MS);

const HOST = new URL("./room-host.ts", import.meta.url);

async function split() {
	const runtime = await SplitRuntime.start(HOST, "room");
	const { actor } = await runtime.engine.resolve({
		kind: "getOrCreate",
		name: "room",
		key: ["a"],
		input: null,
	});
	const base = `${runtime.url}/gateway/${actor.actorId}`;
	return {
		runtime,
		base,
		actorId: actor.actorId,
		connect: (name: string, encoding: "bare" | "cbor" | "json" = "json") =>
			WireSocket.connect(`${base}/connect`, { connParams: name, encoding }),
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

describe("an engine and its host in two processes", () => {
	it("a killed and replaced host: connections go on, with id, state and subscriptions", async () => {
		await using t = await split();
		await using ann = await t.connect("ann");
		await using bob = await t.connect("bob", "bare");
		await using raw = new WireSocket(`${t.base}/websocket`);
		await raw.opened();
		raw.sendData("one");
		const [rawId] = String(await soon(raw.raw())).split(" ");
		bob.subscribe("counted");
		await soon(bob.call(0, "who"));
		const before = (await soon(ann.call(0, "who"))) as { output: unknown[] };
		await t.runtime.killHost();
		ann.act(1, "increment");
		raw.sendData("two");
		bob.ws.close();
		await t.runtime.startHost();
		// A host that is killed before it could say that call 0 is handled leaves it to the next, which knows
		// the answer and gives it again.
		let answer = await soon(ann.expect("ActionResponse"));
		if (Number(answer.id) === 0) answer = await soon(ann.expect("ActionResponse"));
		expect(answer).toMatchObject({ id: 1 });
		expect(await soon(raw.raw())).toBe(`${rawId} two`);
		const after = (await soon(ann.call(2, "who"))) as { output: unknown[] };
		expect(after.output).toEqual([before.output[0], 1, t.runtime.hostPid]);
		expect(before.output[2]).not.toBe(t.runtime.hostPid);
		await eventually(async () => {
			const { output } = (await ann.call(3, "read")) as { output: object };
			expect(output).toEqual({ count: 3, joined: ["ann", "bob"], left: ["bob"] });
		}, PATIENCE_MS);
	});

	it("a host that is replaced for a new version hands everything over", async () => {
		await using t = await split();
		await using ann = await t.connect("ann");
		const answers: Promise<unknown>[] = [];
		for (let id = 0; id < 20; id++) ann.act(id, "slowIncrement");
		await t.runtime.startHost();
		for (let id = 0; id < 20; id++) {
			answers.push(soon(ann.expect("ActionResponse")));
			expect(await answers.at(-1)).toMatchObject({ id, output: id + 1 });
		}
		const { output } = (await soon(ann.call(20, "who"))) as { output: unknown[] };
		expect(output[2]).toBe(t.runtime.hostPid);
	});

	it("kill -9 in the middle of traffic: no acknowledged increment is lost, none applied twice, events in order", async () => {
		await using t = await split();
		const encodings = ["bare", "cbor", "json"] as const;
		const peers = await Promise.all(
			Array.from({ length: 9 }, (_, at) => t.connect(`peer ${at}`, encodings[at % 3]!)),
		);
		await using client = createClient({ endpoint: t.runtime.url });
		const own = client.room!.get(["a"]).connect();
		const statuses: string[] = [];
		own.onStatusChange((status) => statuses.push(status));
		const heard: number[][] = peers.map(() => []);
		let sent = 0;
		let answered = 0;
		let isOver = false;
		const work = peers.map(async (peer, at) => {
			peer.subscribe("counted");
			for (let id = 0; !isOver; id++) {
				sent++;
				peer.act(id, id % 3 === 0 ? "slowIncrement" : "increment");
				for (;;) {
					const frame = await soon(peer.next());
					if (frame.tag === "Event") heard[at]!.push(frame.args[0] as number);
					else if (frame.tag === "ActionResponse" && Number(frame.id) === id) break;
					// An answer that came twice: the host died before it could say that it was sent.
					else expect(frame.tag).toBe("ActionResponse");
				}
				answered++;
			}
		});
		const ownWork = (async () => {
			while (!isOver) {
				sent++;
				await own.increment();
				answered++;
			}
		})();
		for (let kill = 0; kill < 3; kill++) {
			const goal = answered + 150;
			await eventually(() => expect(answered).toBeGreaterThan(goal));
			await t.runtime.killHost();
			await t.runtime.startHost();
		}
		const goal = answered + 150;
		await eventually(() => expect(answered).toBeGreaterThan(goal));
		isOver = true;
		await Promise.all([...work, ownWork]);
		expect(answered).toBe(sent);
		const { output } = (await soon(peers[0]!.call(1_000_000, "read"))) as {
			output: { count: number; left: string[]; joined: string[] };
		};
		expect(output.count).toBe(sent);
		expect(output.left).toEqual([]);
		expect(output.joined).toHaveLength(10);
		expect(peers.every(({ isOpen }) => isOpen)).toBe(true);
		expect(statuses).toEqual(["connected"]);
		for (const counts of heard) {
			expect(counts.length).toBeGreaterThan(100);
			expect(counts).toEqual([...counts].sort((a, b) => a - b));
			expect(new Set(counts).size).toBe(counts.length);
		}
		await own.dispose();
		for (const peer of peers) peer.ws.terminate();
	});
});
