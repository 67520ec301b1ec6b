import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { registry } from "./actors.ts";

const app = new Hono();
app.get("/", (c) => c.text("Hello from Hono"));
app.all("/api/rivet/*", (c) => registry.handler(c.req.raw));

const port = Number(process.env.PORT ?? 3000);
const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
	console.log(`Listening on http://127.0.0.1:${port}`);
});
// Calls come through Hono; WebSockets have no fetch form on Node, so the server hands them over.
const rivet = registry.nodeListeners();
server.on("upgrade", (request, socket, head) => {
	if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
});
