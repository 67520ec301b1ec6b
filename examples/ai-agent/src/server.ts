import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { registry } from "./registry.ts";

// The address of WebSockets.
await registry.listen();

const app = new Hono();
app.all("/api/rivet/*", (c) => registry.handler(c.req.raw));
// What `vite build` made of index.html.
app.use(serveStatic({ root: `${import.meta.dirname}/../dist` }));

const port = Number(process.env.PORT ?? 3000);
serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
	console.log(`Agent at http://127.0.0.1:${port}/`);
});
