import {
	type ActorRequest,
	type ActorResponse,
	catalogueError,
	type InspectedActor,
	PATH_INSPECTOR,
} from "@rivetkit/protocol";
import type { Placement } from "../placement/placement.ts";
import type { Store } from "../store/store.ts";

/** Whether a request to an actor is one of its inspector (protocol 7.2). */
export function isInspectorPath(path: string): boolean {
	return path.startsWith(PATH_INSPECTOR);
}

/** Looks at actors without waking them. */
export class Inspections {
	readonly #store: Store;
	readonly #placement: Placement;

	constructor(store: Store, placement: Placement) {
		this.#store = store;
		this.#placement = placement;
	}

	/** Null when the answer needs an incarnation. Throws `actor.not_found`. */
	async answer(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const { host } = this.#placement;
		if (host?.inspect === undefined) {
			return null;
		}
		return host.inspect(await this.#look(actorId), request);
	}

	async #look(actorId: string): Promise<InspectedActor> {
		const record = await this.#store.actorById(actorId);
		if (record === undefined || record.destroyTs !== null) {
			throw catalogueError("actor.not_found", { identifier: actorId });
		}
		const placement = this.#placement;
		const phase = placement.phase(actorId);
		return {
			assignment: placement.assignmentOf(record),
			placement: phase === undefined || phase === "gone" ? "resting" : phase,
			startTs: record.startTs,
			sleepTs: record.sleepTs,
			retryTs: placement.retryTs(actorId),
		};
	}
}
