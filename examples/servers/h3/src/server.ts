import { H3, serve } from "h3";
import { registry } from "./actors.ts";

const app = new H3();
app.get("/", () => "Hello from h3");
app.all("/api/rivet/**", (event) => registry.handler(event.req));

const port = Number(process.env.PORT ?? 3000);
const server = serve(app, { port, hostname: "127.0.0.1", silent: true });
await server.ready();
console.log(`Listening on http://127.0.0.1:${port}`);

const rivet = registry.nodeListeners();
server.node?.server?.on("upgrade", (request, socket, head) => {
	if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
});
