import { createClient } from "rivetkit/client";
import { fillShop } from "./fill.ts";
import type { registry } from "./registry.ts";

const endpoint = `http://127.0.0.1:${process.env.MANAGER_PORT ?? 6420}`;
const client = createClient<typeof registry>(endpoint);

for (const [name, actorId] of Object.entries(await fillShop(client))) {
	console.log(`${name}: ${endpoint}/ui/#/actor/${actorId}/state`);
}
await client.dispose();
