import { Elysia } from "elysia";
import { registry } from "./actors.ts";

const app = new Elysia({ serve: { idleTimeout: 0 } })
	.get("/", () => "Hello from Elysia")
	// Bodies go through as they are.
	.all("/api/rivet/*", ({ request }) => registry.handler(request), { parse: "none" })
	.listen({ port: Number(process.env.PORT ?? 3000), hostname: "127.0.0.1" });

console.log(`Listening on http://127.0.0.1:${app.server?.port}`);
