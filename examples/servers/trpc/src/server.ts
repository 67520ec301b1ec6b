import { createServer } from "node:http";
import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { z } from "zod";
import { registry } from "./actors.ts";

// Procedures call actors in this process, without a network.
const { client } = registry.start();
const t = initTRPC.create();
const appRouter = t.router({
	increment: t.procedure
		.input(z.number())
		.mutation(({ input }) => client.counter.getOrCreate(["demo"]).increment(input)),
});

/** For the type of a tRPC client. */
export type AppRouter = typeof appRouter;

const trpc = createHTTPHandler({ router: appRouter, basePath: "/trpc/" });
const rivet = registry.nodeListeners();
const server = createServer((request, response) => {
	if (rivet.onRequest(request, response)) return;
	if (request.url?.startsWith("/trpc/")) trpc(request, response);
	else response.end("Hello from tRPC");
});
server.on("upgrade", (request, socket, head) => {
	if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, "127.0.0.1", () => console.log(`Listening on http://127.0.0.1:${port}`));
