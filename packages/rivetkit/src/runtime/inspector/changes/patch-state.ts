import { catalogueError } from "@rivetkit/protocol";
import type { ActorInstance } from "../../instance/instance.ts";
import { assertStateVersion } from "../state-version.ts";
import { shown } from "./shown.ts";

/**
 * Replaces the whole state as the actor itself would (contract: lifecycle 20): `onStateChange` runs.
 * Resolves when it is durable. Throws `actor.state_not_enabled` and what an assignment to `c.state` throws; of a value
 * that states cannot hold, in words for whoever typed it; `inspector.state_changed` where it is not the version that `ifMatch`
 * asks for.
 */
export async function patchState(
	instance: ActorInstance,
	state: unknown,
	ifMatch: string | null = null,
): Promise<void> {
	if (!instance.config.hasState) throw catalogueError("actor.state_not_enabled", {});
	await instance.untilFree();
	instance.assertAcceptsWork();
	// Nothing comes between this look and the change.
	assertStateVersion(() => instance.state.raw, ifMatch);
	try {
		instance.replaceState(state);
	} catch (error) {
		throw shown(error, "state");
	}
	await instance.committer.flush();
}
