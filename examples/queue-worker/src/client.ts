import { createServer } from "node:http";
import { createClient } from "rivetkit/client";
import type { registry } from "./registry.ts";

// Somebody else's server: /ok is well, /flaky fails the first time, /broken until it is repaired.
let repaired = false;
const seen = new Map<string, number>();
const receiver = createServer((request, response) => {
	const path = request.url ?? "";
	const times = (seen.get(path) ?? 0) + 1;
	seen.set(path, times);
	const isWell = path === "/ok" || (path === "/flaky" ? times > 1 : repaired);
	response.writeHead(isWell ? 204 : 503).end();
});
await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const { port } = receiver.address() as { port: number };

const client = createClient<typeof registry>(
	`http://127.0.0.1:${process.env.MANAGER_PORT ?? 6420}`,
);
const webhooks = client.webhooks.getOrCreate([crypto.randomUUID()]);
const deliver = async (path: string) => {
	const delivery = { url: `http://127.0.0.1:${port}${path}`, payload: { order: 17 } };
	// Stored when `send` has it; with `wait`, until it is known what became of it.
	const { response } = await webhooks.send("deliveries", delivery, { wait: true, timeout: 30_000 });
	return `${path}: ${response?.status} at attempt ${response?.attempts}`;
};

console.log(await deliver("/ok"));
console.log(await deliver("/flaky"));
console.log(await deliver("/broken").catch((error) => `/broken: ${error.code}`));

const letters = await webhooks.undeliverable();
console.log("dead letters:", letters.length, "after", letters[0]?.attempts, "attempts");
repaired = true;
console.log("put back:", await webhooks.retry());
while ((await webhooks.delivered()) < 3) await new Promise((resolve) => setTimeout(resolve, 20));
console.log("delivered:", await webhooks.delivered());

await client.dispose();
receiver.close();
