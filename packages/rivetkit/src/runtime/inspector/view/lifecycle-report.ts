import type { ActorAssignment } from "@rivetkit/protocol";

/** What every report begins with. */
export function identityOf({ actorId, name, key, generation, createTs }: ActorAssignment) {
	return { actorId, name, key, generation, createdAtMs: createTs };
}
