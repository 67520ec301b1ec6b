import {
	ActorGone,
	type ActorSocket,
	type ActorUpgrade,
	catalogueError,
	encodeToClient,
	loggedPath,
	parseSubprotocols,
} from "@rivetkit/protocol";
import { CLOSE_REFUSED, truncateCloseReason } from "../connections/close-codes.ts";
import { EventConnection } from "../connections/event-connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { upgradeRequest } from "../raw/incoming-request.ts";
import { RawSocketConnection } from "../raw/raw-socket-connection.ts";
import { socketCallerOf } from "../telemetry/caller-of.ts";

/**
 * The WebSocket paths of one actor (contract: protocol 3.1). Refusals close the accepted socket. Rejects
 * with {@link ActorGone} only: the actor stopped before it had taken the socket.
 */
export async function routeSocket(
	instance: ActorInstance,
	upgrade: ActorUpgrade,
	socket: ActorSocket,
): Promise<void> {
	const queryStart = upgrade.path.indexOf("?");
	const pathname = queryStart < 0 ? upgrade.path : upgrade.path.slice(0, queryStart);
	const protocols = parseSubprotocols(upgrade.protocols);
	const isConnect = pathname === "/connect" || pathname === "/connect/";
	try {
		if (isConnect) {
			if (protocols.error) throw protocols.error;
			await EventConnection.create(instance, socket, {
				encoding: protocols.encoding,
				params: protocols.connParams,
				session: protocols.session,
				resume: protocols.resume,
				tracedFrom: socketCallerOf(instance, upgrade, protocols),
			}).open(upgradeRequest(upgrade));
			return;
		}
		if (pathname === "/websocket" || pathname.startsWith("/websocket/")) {
			if (protocols.error) throw protocols.error;
			await RawSocketConnection.create(
				instance,
				socket,
				upgrade,
				protocols.connParams,
				socketCallerOf(instance, upgrade, protocols),
			).open();
			return;
		}
		throw catalogueError("route.not_found", {});
	} catch (error) {
		if (error instanceof ActorGone) throw error;
		const wire = instance.describeError(error, { path: loggedPath(upgrade.path) });
		// The whole error, where the client understands it.
		if (isConnect && wire.group !== "encoding") {
			socket.send(encodeToClient(protocols.encoding, { tag: "Error", ...wire, actionId: null }));
		}
		socket.close(CLOSE_REFUSED, truncateCloseReason(`${wire.group}.${wire.code}`));
	}
}
