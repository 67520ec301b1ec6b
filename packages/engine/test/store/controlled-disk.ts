import type { SyncFile } from "../../src/store/sqlite/wal-file.ts";

/** A disk whose syncs end when the test says so. */
export interface ControlledDisk {
	readonly sync: SyncFile;
	/** Lets syncs through at once from now on, also those under way. */
	free(): void;
	/** From now on each sync waits for {@link next}. */
	hold(): void;
	/** Resolves with the oldest sync under way, as soon as there is one. */
	next(): Promise<{ end(): void; fail(error: Error): void }>;
	/** Syncs that began. */
	readonly started: number;
}

export function controlledDisk(): ControlledDisk {
	let held = false;
	let started = 0;
	const underWay: { end(): void; fail(error: Error): void }[] = [];
	const waiting: ((sync: { end(): void; fail(error: Error): void }) => void)[] = [];
	return {
		get started() {
			return started;
		},
		sync: () => {
			started += 1;
			if (!held) {
				return Promise.resolve();
			}
			return new Promise((resolve, reject) => {
				const sync = { end: resolve, fail: reject };
				const waiter = waiting.shift();
				if (waiter === undefined) {
					underWay.push(sync);
				} else {
					waiter(sync);
				}
			});
		},
		hold: () => {
			held = true;
		},
		free: () => {
			held = false;
			for (const sync of underWay.splice(0)) {
				sync.end();
			}
		},
		next: () => {
			const sync = underWay.shift();
			return sync === undefined
				? new Promise((resolve) => waiting.push(resolve))
				: Promise.resolve(sync);
		},
	};
}

/** Whether the promise has settled by the end of this turn and the next. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
	let settled = false;
	const mark = () => {
		settled = true;
	};
	promise.then(mark, mark);
	for (let turn = 0; turn < 3; turn++) {
		await new Promise((resolve) => setImmediate(resolve));
	}
	return settled;
}
