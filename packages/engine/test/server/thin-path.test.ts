import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { testEngine } from "../helpers/engine.ts";

test("an actor made over the API is reached through the gateway by HTTP and WebSocket", async () => {
	await using t = testEngine();
	t.host.onSocket = (_upgrade, socket) => {
		socket.listen({
			onMessage: (message) => socket.send(message),
			onClose: () => {},
		});
	};
	const server = await t.listen();
	const made = await fetch(`${server.url}/actors`, {
		method: "PUT",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({
			name: "counter",
			key: "a",
			runner_name_selector: "default",
			crash_policy: "sleep",
		}),
	});
	expect(made.status).toBe(200);
	const { actor, created } = (await made.json()) as {
		actor: { actor_id: string };
		created: boolean;
	};
	expect(created).toBe(true);

	const answer = await fetch(`${server.url}/gateway/${actor.actor_id}/action/add?x=1`, {
		method: "POST",
		body: "{}",
	});
	expect(await answer.text()).toBe("POST /action/add?x=1");

	const ws = new WebSocket(
		`${server.url.replace("http", "ws")}/gateway/${actor.actor_id}/connect`,
		["rivet"],
	);
	const echoed = await new Promise((resolve, reject) => {
		ws.on("error", reject);
		ws.on("open", () => ws.send("hello"));
		ws.on("message", (data, isBinary) => resolve([data.toString(), isBinary]));
	});
	expect(echoed).toEqual(["hello", false]);
	expect(ws.protocol).toBe("rivet");
	ws.terminate();
});
