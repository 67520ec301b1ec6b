import type { ActorRecord } from "../api/management.ts";
import { statusOf } from "./actor-status.tsx";

/** Those that a search finds: by key and by id, in any case. `status` is one, or `all`. */
export function matchingActors(
	actors: readonly ActorRecord[],
	search: string,
	status: string,
): ActorRecord[] {
	const wanted = search.trim().toLowerCase();
	return actors.filter(
		(actor) =>
			(status === "all" || statusOf(actor) === status) &&
			(isIn(actor.key ?? "", wanted) || actor.actor_id.includes(wanted)),
	);
}

/** As it is shown, or as it is: a slash within a part is shown as `\/`. */
function isIn(key: string, wanted: string): boolean {
	const shown = key.toLowerCase();
	return shown.includes(wanted) || shown.replaceAll("\\", "").includes(wanted);
}
