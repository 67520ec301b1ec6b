import express from "express";
import { registry } from "./actors.ts";

const rivet = registry.nodeListeners();
const app = express();
// Before anything that reads bodies.
app.use((request, response, next) => {
	if (!rivet.onRequest(request, response)) next();
});
app.use(express.json());
app.get("/", (_request, response) => {
	response.send("Hello from Express");
});

const port = Number(process.env.PORT ?? 3000);
const server = app.listen(port, "127.0.0.1", () => {
	console.log(`Listening on http://127.0.0.1:${port}`);
});
server.on("upgrade", (request, socket, head) => {
	if (!rivet.onUpgrade(request, socket, head)) socket.destroy();
});
