import type { QueryKey } from "@tanstack/react-query";

/** What the keys of all queries about an actor begin with; the session and the route's name follow. */
export function actorKey(actorId: string): QueryKey {
	return ["actor", actorId];
}
