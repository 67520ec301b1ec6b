import type { IncomingMessage, ServerResponse } from "node:http";
import { fromNodeHandler } from "nitro/h3";
import { registry } from "../../../actors.ts";

// Nitro keeps the upgrades of its server.
const rivet = registry.nodeListeners({ takesUpgrades: false });

export default fromNodeHandler((request, response, next) => {
	// The server is one of HTTP/1.1.
	if (!rivet.onRequest(request as IncomingMessage, response as ServerResponse)) next();
});
