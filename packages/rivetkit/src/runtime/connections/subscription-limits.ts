import { catalogueError, type RivetError, utf8Length } from "@rivetkit/protocol";
import type { Connection } from "./connection.ts";

/** Bytes of the name of one event that a client may subscribe to. */
export const SUBSCRIPTION_NAME_BYTES_MAX = 1_024;

/** Why the connection may not subscribe to one more event; null when it may, or has done so. */
export function subscriptionRefusal(connection: Connection, event: string): RivetError | null {
	if (connection.hasSubscriptions && connection.subscriptions.has(event)) return null;
	const size = utf8Length(event);
	if (size > SUBSCRIPTION_NAME_BYTES_MAX) {
		return catalogueError("event.name_too_long", { size, limit: SUBSCRIPTION_NAME_BYTES_MAX });
	}
	const limit = connection.instance.options.maxConnectionSubscriptions;
	const count = connection.hasSubscriptions ? connection.subscriptions.size : 0;
	if (count < limit) return null;
	return catalogueError("event.too_many_subscriptions", { name: event, limit });
}
