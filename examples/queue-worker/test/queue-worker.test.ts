import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { registry } from "../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, ".."));
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

/** A receiver of webhooks at a URL. */
async function receive(answer: (request: IncomingMessage, response: ServerResponse) => void) {
	const receiver = createServer(answer);
	await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => void receiver.close());
	return `http://127.0.0.1:${(receiver.address() as { port: number }).port}/`;
}

it("does what its README shows", () => expectTranscript(server));

it("delivers again after kill -9 in the middle, as the same message", async () => {
	const keys: unknown[] = [];
	let isWell = false;
	const url = await receive((request, response) => {
		keys.push(request.headers["idempotency-key"]);
		// The first one is left without an answer.
		if (isWell) response.writeHead(204).end();
	});
	const webhooks = client.webhooks.getOrCreate(["crash"]);
	await webhooks.send("deliveries", { url, payload: 1 });
	await eventually(() => expect(keys).toHaveLength(1));
	await server.stop("SIGKILL");
	isWell = true;
	await server.start();
	// Nobody calls the actor: what waits for it wakes it.
	await eventually(() => expect(keys).toHaveLength(2));
	expect(keys[1]).toBe(keys[0]);
	await eventually(async () => expect(await webhooks.delivered()).toBe(1));
});

it("goes on with the next message while one waits to be tried again", async () => {
	const bodies: string[] = [];
	const url = await receive(async (request, response) => {
		let body = "";
		for await (const chunk of request) body += chunk;
		bodies.push(body);
		response.writeHead(body === '"bad"' && bodies.length === 1 ? 500 : 200).end();
	});
	const webhooks = client.webhooks.getOrCreate(["order"]);
	for (const payload of ["bad", "good"]) await webhooks.send("deliveries", { url, payload });
	await eventually(() => expect(bodies).toEqual(['"bad"', '"good"', '"bad"']));
});
