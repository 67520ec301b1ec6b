// A server process that ends itself by SIGKILL at one of its commits: `KILL_AT` is its number since the
// start, `KILL_WHEN` the moment. An actor moves money between two accounts, as its queue says, and keeps
// what is on the second one in `c.kv`, too.
import { appendFileSync } from "node:fs";
import { type CommitBatch, openSqliteStore } from "@rivetkit/engine";
import { type StorageOp, systemClock, systemRandom } from "@rivetkit/protocol";
import { erasedConfig } from "../../src/actor/erased.ts";
import { startEmbedded } from "../../src/backends/embedded/embedded.ts";
import { actor, queue } from "../../src/index.ts";
import { recordingLogger } from "../support/test-runtime.ts";
import { killing } from "./killing-store.ts";

const [directory, port, killAt, killWhen] = process.argv.slice(2) as [
	string,
	string,
	string,
	string,
];

/** What happens outside of the actor, one line each. */
const outside = (line: string) => appendFileSync(`${directory}/outside.log`, `${line}\n`);

const bank = actor({
	state: { from: 10_000, to: 0, moves: 0 },
	queues: { moves: queue<{ id: string; amount: number }, number>() },
	run: async (c) => {
		const completable = c.key[0] === "completable";
		for await (const message of c.queue.iter({ completable })) {
			const { id, amount } = message.body;
			outside(`${c.key[0]} ${id}`);
			if (completable) await new Promise((resolve) => setImmediate(resolve));
			const stored = Number(await c.kv.get("to"));
			// Its first write, and all the others with it: from here to the end nothing is waited for.
			const written = c.kv.put("to", String(stored + amount));
			c.state.from -= amount;
			c.state.to += amount;
			c.state.moves++;
			if ("complete" in message)
				await (message as { complete(n: number): Promise<void> }).complete(c.state.to);
			await written;
		}
	},
	actions: {
		accounts: async (c) => {
			const stored = Number(await c.kv.get("to"));
			return { ...c.state, stored, waiting: c.queue.size() };
		},
	},
});

const store = killing(await openSqliteStore({ directory: `${directory}/store` }), {
	at: Number(killAt),
	when: killWhen,
	kindOf,
});
const { engine } = startEmbedded({
	store,
	definitions: new Map([["bank", erasedConfig(bank)]]),
	clock: systemClock(),
	random: systemRandom(),
	log: recordingLogger([]),
	messageLimits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 1_048_576 },
	version: "0.0.0-test",
	namespace: "default",
	exposeErrors: () => false,
	publicUrl: () => `http://127.0.0.1:${port}`,
});
const { url } = await engine.listen({ port: Number(port) });
console.log(`listening ${url}`);

/** What a commit is about, for the test to know at which ones it has killed. */
function kindOf({ ops }: CommitBatch): string {
	const has = (op: StorageOp["op"], first: number, second?: number) =>
		ops.some(
			(other) =>
				other.op === op &&
				"key" in other &&
				other.key[0] === first &&
				(second === undefined || other.key[1] === second),
		);
	const kinds = [
		has("put", 0x10, 0x00) ? "enqueue" : "",
		has("put", 0x05, 0x01) && !has("put", 0x10, 0x00) ? "lease" : "",
		has("delete", 0x05, 0x01) ? "remove" : "",
		has("put", 0x01) ? "state" : "",
		has("put", 0x12) ? "kv" : "",
		has("put", 0x05, 0x02) ? "answer" : "",
	];
	return kinds.filter((kind) => kind !== "").join("+") || "other";
}
