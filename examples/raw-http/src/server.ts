import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createClient } from "rivetkit/client";
import { registry } from "./registry.ts";

const { url } = await registry.listen();
const client = createClient<typeof registry>(url);

// /lists/groceries/items is /items of the actor "groceries".
const app = new Hono();
app.all("/lists/:list/*", (c) => {
	const list = c.req.param("list");
	const target = new URL(c.req.url);
	target.pathname = target.pathname.slice(`/lists/${list}`.length);
	return client.list.getOrCreate([list]).fetch(new Request(target, c.req.raw));
});

const port = Number(process.env.PORT ?? 3000);
serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
	console.log(`Lists at http://127.0.0.1:${port}/lists/groceries/items`);
});
