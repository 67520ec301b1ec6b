// `kill -9` in the middle of a stream: its reader is told, and what it got is there (decision record 0029).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { soon } from "../support/gate.ts";
import { codeOf } from "../support/wire-http.ts";
import { ServerProcess } from "./server-process.ts";

const READ_BEFORE_KILL = 50;

it("what a reader got before its server was killed is durable", async () => {
	const data = await mkdtemp(join(tmpdir(), "streams-"));
	const port = await freePort();
	const server = new ServerProcess("counter-server.ts", [data, String(port)]);
	await server.start();
	const client = createClient({ endpoint: `http://127.0.0.1:${port}` });
	const counter = client.counter!.getOrCreate(["streamed"]) as unknown as {
		count(): Promise<number>;
		counting(): AsyncIterable<number>;
	};
	try {
		const counts: number[] = [];
		const reading = (async () => {
			for await (const count of counter.counting()) {
				counts.push(count);
				if (count === READ_BEFORE_KILL) server.signal("SIGKILL");
			}
		})();
		const error = await soon(reading).then(
			() => null,
			(thrown) => thrown,
		);
		expect(codeOf(error)).toBe("action.stream_broken");
		expect(counts).toEqual(counts.map((_count, index) => index + 1));
		expect(counts.length).toBeGreaterThanOrEqual(READ_BEFORE_KILL);
		await server.end("SIGKILL");
		await server.start();
		expect(await counter.count()).toBeGreaterThanOrEqual(counts.length);
	} finally {
		await client.dispose();
		await server.end("SIGKILL");
		await rm(data, { recursive: true, force: true });
	}
});
