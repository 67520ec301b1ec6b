import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ScriptedServer, unusedPort } from "./support/scripted-server.ts";

const client = fileURLToPath(new URL("../../src/client/index.ts", import.meta.url));

/** Runs a script in a process of its own; resolves with what it printed when it ended by itself. */
async function run(script: string, endpoint: string): Promise<string> {
	const { PATH, NODE_COMPILE_CACHE } = process.env;
	const child = spawn(
		process.execPath,
		[
			"--conditions=@rivetkit/source",
			"--input-type=module",
			"--eval",
			`import { createClient } from ${JSON.stringify(client)};
			const client = createClient(${JSON.stringify({ endpoint, encoding: "json" })});
			${script}`,
		],
		{
			env: { PATH, NODE_COMPILE_CACHE },
			stdio: ["ignore", "pipe", "inherit"],
			timeout: 100_000,
		},
	);
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	const [code, signal] = await once(child, "close");
	expect([code, signal]).toEqual([0, null]);
	return output.trim();
}

describe("a process with a client ends by itself", () => {
	test("when nothing waits for a server that is not there", async () => {
		const endpoint = `http://127.0.0.1:${await unusedPort()}`;
		expect(await run('console.log("made");', endpoint)).toBe("made");
	});

	test("after a connection was disposed", async () => {
		await using server = await ScriptedServer.start();
		const ended = run(
			`const connection = client.room.getOrCreate("k").connect();
			await new Promise((resolve) => connection.onOpen(resolve));
			await client.dispose();
			console.log(connection.connStatus);`,
			server.endpoint,
		);
		(await server.sockets.next()).init();
		expect(await ended).toBe("idle");
	});

	test("after a connection was refused for good, though nobody disposed it", async () => {
		await using server = await ScriptedServer.start();
		const ended = run(
			`const connection = client.room.getOrCreate("k").connect();
			connection.onError((error) => console.log(error.code));`,
			server.endpoint,
		);
		(await server.sockets.next()).close(1011, "auth.forbidden");
		expect(await ended).toBe("forbidden");
	});

	test("after actions over HTTP", async () => {
		await using server = await ScriptedServer.start();
		const script = 'console.log(await client.room.getOrCreate("k").act());';
		expect(await run(script, server.endpoint)).toBe("done");
	});
});
