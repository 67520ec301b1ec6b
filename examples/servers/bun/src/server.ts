import { registry } from "./actors.ts";

const server = Bun.serve({
	port: Number(process.env.PORT ?? 3000),
	hostname: "127.0.0.1",
	// Streams and connections may be quiet for longer than the ten seconds that are Bun's default.
	idleTimeout: 0,
	routes: {
		"/": new Response("Hello from Bun"),
		"/api/rivet/*": (request) => registry.handler(request),
	},
});
console.log(`Listening on http://127.0.0.1:${server.port}`);
