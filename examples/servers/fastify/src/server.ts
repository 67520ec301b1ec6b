import Fastify from "fastify";
import { registry } from "./actors.ts";

const rivet = registry.nodeListeners();
const app = Fastify();
// The first hook there is: nothing has read the body yet.
app.addHook("onRequest", async (request, reply) => {
	if (rivet.onRequest(request.raw, reply.raw)) reply.hijack();
});
app.server.on("upgrade", (request, socket, head) => {
	if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
});
app.get("/", async () => "Hello from Fastify");

const port = Number(process.env.PORT ?? 3000);
await app.listen({ port, host: "127.0.0.1" });
console.log(`Listening on http://127.0.0.1:${port}`);
