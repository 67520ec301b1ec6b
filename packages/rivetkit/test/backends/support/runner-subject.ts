import type { ActorAssignment } from "@rivetkit/protocol";
import type { BackendUnderTest } from "rivetkit/driver-test-suite";
import { RunnerBackend } from "../../../src/backends/runner/runner-backend.ts";
import type { KvDouble } from "./kv-double.ts";

let actorCount = 0;

/** The runner's backend on stores in memory, with the part of a runner that opens actors. */
export function runnerSubject(
	kv: KvDouble,
	generations = new Map<string, number>(),
	alarms = new Map<string, number | null>(),
): BackendUnderTest {
	const backend = new RunnerBackend(
		(actorId) => kv.kvOf(actorId),
		({ actorId }, alarmTs) => alarms.set(actorId, alarmTs),
	);
	const place = async (actorId: string): Promise<ActorAssignment> => {
		const generation = (generations.get(actorId) ?? -1) + 1;
		generations.set(actorId, generation);
		const { initialised, alarmTs } = await backend.open({ actorId, generation });
		return {
			actorId,
			generation,
			name: "any",
			key: [actorId],
			namespace: "default",
			region: "default",
			input: null,
			createTs: 1,
			alarmTs,
			initialised,
		};
	};
	return {
		backend,
		newActor: () => place(`actor-${++actorCount}`),
		takeOver: place,
		async exists(actorId) {
			return !backend.isDiscarded(actorId) && backend.recordOf(actorId)?.destroyTs === null;
		},
		alarmOf: async (actorId) => alarms.get(actorId) ?? null,
		reopen: async () => runnerSubject(kv.copy(), new Map(generations), new Map(alarms)),
		close: async () => {},
	};
}
