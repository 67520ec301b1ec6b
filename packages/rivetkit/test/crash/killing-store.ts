import { writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { CommitBatch, Store } from "@rivetkit/engine";

/** Longer than the senders of the tests wait. */
const LATE_MS = 1_000;

export interface Kill {
	/** Number of the commit since the start, counted from 1. */
	readonly at: number;
	/** `before`, `during` or `after` it; `late`: a slow disk has not begun with it after {@link LATE_MS}. */
	readonly when: string;
	/** What a commit is about, for the test to know at which ones it has killed. */
	kindOf(batch: CommitBatch): string;
}

/** A store whose process ends itself by SIGKILL at one of its commits. */
export function killing(inner: Store, { at, when, kindOf }: Kill): Store {
	let commits = 0;
	const kill = (batch: CommitBatch) => {
		writeSync(1, `killed ${when} ${kindOf(batch)}\n`);
		process.kill(process.pid, "SIGKILL");
		// Nothing more may happen in this process.
		for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
	};
	const commit = async (batch: CommitBatch): Promise<void> => {
		const isFatal = ++commits === at;
		if (isFatal && when === "before") kill(batch);
		if (isFatal && when === "late") {
			await setTimeout(LATE_MS);
			kill(batch);
		}
		const done = inner.commit(batch);
		// Written to the file, perhaps, and not synced.
		if (isFatal && when === "during") setImmediate(() => setImmediate(() => kill(batch)));
		await done;
		// On the disk, and nobody has heard of it.
		if (isFatal && when === "after") kill(batch);
	};
	return new Proxy(inner, {
		get: (target, property) => {
			if (property === "commit") return commit;
			const member: unknown = Reflect.get(target, property);
			return typeof member === "function" ? member.bind(target) : member;
		},
	});
}
