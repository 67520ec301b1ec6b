import { decodeCbor } from "@rivetkit/protocol";
import {
	entriesOf,
	SUBSPACE_STATE,
	WAKE_END,
	WAKE_START,
} from "../../../src/runtime/commit/storage-layout.ts";
import { readState } from "../../../src/runtime/instance/state-layout.ts";
import type { Entry } from "../../../src/workflow/history/entry.ts";
import { pathOf } from "../../../src/workflow/history/located-entry.ts";
import { ALL_ENTRIES } from "../../../src/workflow/history/location.ts";
import { locate, type StoredEntryAt } from "../../../src/workflow/history/rewind.ts";
import { headOf } from "./survival.ts";
import type { State, World } from "./world.ts";

/** An entry without what differs from run to run: ids and times. */
export type HistoryLine = readonly [path: string, kind: string, status: string, what: unknown];

/** What the store has of a workflow, by path. */
export async function historyOf(world: World): Promise<HistoryLine[]> {
	const lines = (await entries(world)).map(({ segments, entry }): HistoryLine => {
		const { attempts, error, epoch, rollbackCompletedAt, rollbackError } = entry;
		const what = {
			attempts,
			error: error?.message,
			epoch,
			isUndone: rollbackCompletedAt > 0,
			rollbackError: rollbackError?.message,
			...timeless(entry),
		};
		return [pathOf(segments), entry.kind, entry.status, what];
	});
	return lines.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** How long a deadline is from its beginning stays: nothing moves it. */
function timeless(entry: Entry): Record<string, unknown> {
	const { readyTs: _r, deadline, retryAt: _t, ...data } = entry.data as Record<string, unknown>;
	const lasts = deadline === undefined ? undefined : (deadline as number) - entry.createdAt;
	if (entry.is("message")) {
		const messages = (entry.data.messages ?? []).map(
			({ id: _i, createdAt: _c, ...message }) => message,
		);
		return { ...data, lasts, messages };
	}
	if (entry.is("send")) return { queue: entry.data.queue };
	return { ...data, lasts };
}

async function entries({ store, id }: World): Promise<StoredEntryAt[]> {
	return locate(await store.inner.scan(id, ALL_ENTRIES));
}

/**
 * Looks at what a process leaves behind that ends, and at what the next one makes of it (workflows 15): no
 * deadline moves (d), an unfinished workflow is woken when it has something to do (e), and a step is finished
 * together with its changes (h).
 */
export class CrashWatch {
	readonly violations: string[] = [];
	readonly #world: World;
	readonly #mismatch:
		| ((state: State, completed: readonly string[]) => string | undefined)
		| undefined;
	readonly #deadlines = new Map<string, number>();
	#left: readonly HistoryLine[] = [];

	constructor(
		world: World,
		mismatch: ((state: State, completed: readonly string[]) => string | undefined) | undefined,
	) {
		this.#world = world;
		this.#mismatch = mismatch;
	}

	/** The process has ended. */
	async died(): Promise<void> {
		const world = this.#world;
		if (world.id === "") return;
		const all = await entries(world);
		for (const { segments, entry } of all) this.#checkDeadline(pathOf(segments), entry);
		await this.#checkState(all);
		this.#left = await historyOf(world);
	}

	#checkDeadline(path: string, entry: Entry): void {
		const { deadline, retryAt } = entry.data as { deadline?: number; retryAt?: number };
		const ts = deadline ?? retryAt;
		if (ts === undefined) return;
		// The same entry, and the same try of it.
		const which = `${path} ${entry.createdSequence} ${entry.attempts}`;
		const before = this.#deadlines.get(which);
		if (before !== undefined && before !== ts)
			this.violations.push(`${which}: ${before} is ${ts} now`);
		this.#deadlines.set(which, ts);
		if (entry.is("sleep") && entry.completedAt > 0 && entry.completedAt < ts) {
			this.violations.push(`${path} ended ${ts - entry.completedAt} ms too early`);
		}
	}

	async #checkState(all: readonly StoredEntryAt[]): Promise<void> {
		if (!this.#mismatch) return;
		const { store, id } = this.#world;
		const stored = await store.inner.scan(id, { start: WAKE_START, end: WAKE_END });
		const { bytes } = readState(entriesOf(stored, SUBSPACE_STATE));
		if (bytes === undefined || bytes === null) return;
		const completed = all
			.filter(({ entry }) => entry.is("step") && entry.status === "completed")
			.map(({ segments }) => pathOf(segments));
		const mismatch = this.#mismatch(decodeCbor(bytes) as State, completed);
		if (mismatch !== undefined) this.violations.push(mismatch);
	}

	/** The next process has started, and nobody has called the actor. */
	async restarted(): Promise<void> {
		const world = this.#world;
		if (world.id === "" || world.isAwake || world.store.isDead) return;
		const head = await headOf(world);
		if (head === null || !["running", "rolling_back"].includes(head.state)) return;
		// Nothing has woken it, so there is nothing that it could have done.
		const called = world.status();
		called.catch(() => {});
		await Promise.race([called, world.store.died]);
		await world.settle();
		if (world.store.isDead) return;
		const now = await historyOf(world);
		if (JSON.stringify(now, bytes) !== JSON.stringify(this.#left, bytes)) {
			this.violations.push(
				`asleep after ${JSON.stringify(this.#left, bytes)}, it went on to ${JSON.stringify(now, bytes)}`,
			);
		}
	}
}

const bytes = (_key: string, value: unknown) =>
	value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
