import { createServer } from "node:http";
import { registry } from "./actors.ts";

const rivet = registry.nodeListeners();
const server = createServer((request, response) => {
	if (rivet.onRequest(request, response)) return;
	response.end("Hello from node:http");
});
server.on("upgrade", (request, socket, head) => {
	if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, "127.0.0.1", () => console.log(`Listening on http://127.0.0.1:${port}`));
