import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createClient } from "rivetkit/client";
import { registry } from "./registry.ts";

const { url } = await registry.listen();
const client = createClient<typeof registry>(url);

// /buckets/photos/cat.jpg is /cat.jpg of the actor "photos".
const app = new Hono();
app.all("/buckets/:bucket/*", (c) => {
	const bucket = c.req.param("bucket");
	const { pathname, search } = new URL(c.req.url);
	const { method, headers, body, signal } = c.req.raw;
	// In parts, not as a `Request`: so the body is passed on as it comes.
	const init = { method, headers, body, signal };
	const path = pathname.slice(`/buckets/${bucket}`.length);
	return client.bucket.getOrCreate([bucket]).fetch(path + search, init);
});

const port = Number(process.env.PORT ?? 3000);
serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
	console.log(`Buckets at http://127.0.0.1:${port}/buckets/`);
});
