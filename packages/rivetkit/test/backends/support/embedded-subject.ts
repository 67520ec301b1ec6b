import type { Store } from "@rivetkit/engine";
import type { ActorAssignment } from "@rivetkit/protocol";
import type { BackendUnderTest } from "rivetkit/driver-test-suite";
import { EmbeddedBackend } from "../../../src/backends/embedded/embedded-backend.ts";

let actorCount = 0;

/** The embedded backend on a store, with the part of the engine that places actors. */
export function embeddedSubject(store: Store): BackendUnderTest {
	const place = async (actorId: string): Promise<ActorAssignment> => {
		const { key, datacenter, ...record } = await store.acquire(actorId);
		return { ...record, key: [key], region: datacenter };
	};
	return {
		backend: new EmbeddedBackend(store, () => {}),
		async newActor() {
			const actorId = `actor-${++actorCount}`;
			await store.insertActor({
				actorId,
				namespace: "default",
				name: "any",
				key: actorId,
				runnerNameSelector: "default",
				crashPolicy: "sleep",
				datacenter: "default",
				input: null,
				createTs: 1,
			});
			return place(actorId);
		},
		takeOver: place,
		async exists(actorId) {
			const record = await store.actorById(actorId);
			return record !== undefined && record.destroyTs === null;
		},
		alarmOf: async (actorId) => (await store.actorById(actorId))?.alarmTs ?? null,
		close: () => store.close(),
	};
}
