import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Actors } from "./actors.ts";

type Next = (error?: unknown) => void;

/** Joins the dev server's own listeners: what is below `basePath` goes to the actors, the rest goes on. */
export interface Mount {
	readonly onRequest: (request: IncomingMessage, response: ServerResponse, next: Next) => void;
	readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface MountOptions {
	/** With a leading and without a trailing slash. */
	readonly basePath: string;
	/** Whether the dev server has upgrades to hand over; if not, `/metadata` names another address for sockets. */
	readonly takesUpgrades: boolean;
}

export function mountOf(actors: Actors, { basePath, takesUpgrades }: MountOptions): Mount {
	const isBelow = ({ url = "" }: IncomingMessage) =>
		url.startsWith(basePath) && /^(?:[/?]|$)/.test(url.slice(basePath.length));
	const listeners = async () =>
		(await actors.current())?.nodeListeners({ basePath, takesUpgrades });
	return {
		onRequest(request, response, next) {
			if (!isBelow(request)) return next();
			listeners().then((found) => {
				if (found) found.onRequest(request, response);
				else refuse(response);
			}, next);
		},
		onUpgrade(request, socket, head) {
			if (!isBelow(request)) return;
			// A page that leaves while the actors are loaded must not end Vite.
			socket.on("error", ignore);
			listeners().then(
				(found) => {
					socket.off("error", ignore);
					if (found) found.onUpgrade(request, socket, head);
					else socket.destroy();
				},
				() => socket.destroy(),
			);
		},
	};
}

function ignore(): void {}

/** What clients meet until the actors could be loaded for the first time: they come again by themselves. */
function refuse(response: ServerResponse): void {
	const body = {
		group: "guard",
		code: "service_unavailable",
		message: "The actors could not be loaded; the log of the Vite server says why",
	};
	response
		.writeHead(503, { "content-type": "application/json", "cache-control": "no-store" })
		.end(JSON.stringify(body));
}
