import { registry } from "./actors.ts";

const port = Number(Deno.env.get("PORT") ?? 3000);
Deno.serve(
	{
		port,
		hostname: "127.0.0.1",
		onListen: () => console.log(`Listening on http://127.0.0.1:${port}`),
	},
	(request) => {
		const { pathname } = new URL(request.url);
		if (pathname.startsWith("/api/rivet/")) return registry.handler(request);
		return new Response("Hello from Deno");
	},
);
