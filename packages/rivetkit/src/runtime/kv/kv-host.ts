import type { StorageRange } from "@rivetkit/protocol";
import { assertStepIsOpen, currentStep } from "../durable/step-work.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { KvHost } from "./kv-keeper.ts";

/** The part of an instance that its kv stands on. */
export function kvHost(instance: ActorInstance): KvHost {
	const { services, assignment, committer } = instance;
	const { backend } = services;
	return {
		notesStep() {
			if (!instance.durable) return false;
			assertStepIsOpen(instance, "kv");
			const step = currentStep(instance);
			if (!step || instance.isInAtomic) return false;
			instance.assertWritable();
			step.changedKv = true;
			return true;
		},
		adopted: () => committer.markDirty(),
		uncommittedBytesMax: instance.options.maxUncommittedKvSize,
		get: (keys) => backend.get(assignment, keys),
		scan: (range: StorageRange) => backend.scan(assignment, range),
		wrote(isFirst) {
			instance.assertWritable();
			committer.markDirty();
			// A call asks for the commit when it ends; everybody else needs the timer (W-STATE-2).
			if (isFirst && !instance.inCall) instance.writes.saveSoon();
		},
		cutSoon: () => committer.cutSoon(),
	};
}
