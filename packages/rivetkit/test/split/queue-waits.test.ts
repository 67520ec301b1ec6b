// Senders that wait while hosts come and go (contract: lifecycle W-Q-5, L44).
import { expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { soon } from "../support/gate.ts";
import { SplitRuntime } from "../support/split/split-runtime.ts";

interface Oracle {
	send(name: "ask", body: string, options: { wait: true }): Promise<unknown>;
	open(): Promise<void>;
	deliveries(): Promise<number>;
	nap(): Promise<void>;
}

it("a sender waits on over sleeps and a killed host in another process; its message is handled once", async () => {
	const host = new URL("./queue-host.ts", import.meta.url);
	await using runtime = await SplitRuntime.start(host, "oracle");
	const client = createClient({ endpoint: runtime.url });
	try {
		const oracle = client.oracle!.getOrCreate(["o"]) as unknown as Oracle;
		const asked = oracle.send("ask", "when?", { wait: true });
		// Another one that nobody can recognise when it comes again: the gateway hands it on.
		const id = await client.oracle!.getOrCreate(["o"]).resolve();
		const plain = fetch(`${runtime.url}/gateway/${id}/queue/ask`, {
			method: "POST",
			body: '{"body":"how?","wait":true}',
		}).then((response) => response.json());
		await eventually(async () => expect(await oracle.deliveries()).toBe(1));
		for (let nap = 2; nap < 5; nap++) {
			await oracle.nap();
			await eventually(async () => expect(await oracle.deliveries()).toBe(nap));
		}
		const killed = runtime.hostPid;
		await runtime.killHost();
		await runtime.startHost();
		await eventually(async () => expect(await oracle.deliveries()).toBe(5));
		await oracle.open();
		const by = `by ${runtime.hostPid}`;
		expect(runtime.hostPid).not.toBe(killed);
		expect(await soon(asked)).toEqual({ status: "completed", response: `when? ${by}` });
		// Whether the killed host had done what it asked for, nobody could tell it.
		expect(await soon(plain)).toMatchObject({ group: "guard", code: "tunnel_response_closed" });
		await eventually(async () => expect(await oracle.deliveries()).toBe(6));
		// Nobody is left to ask again: the actor destroys itself with its answer.
		expect(await soon(oracle.send("ask", "last words?", { wait: true }))).toEqual({
			status: "completed",
			response: `last words? ${by}`,
		});
		await eventually(async () => expect(await oracle.deliveries()).toBe(0));
	} finally {
		await client.dispose();
	}
});
