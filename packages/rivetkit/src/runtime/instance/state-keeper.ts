import { catalogueError, decodeCbor } from "@rivetkit/protocol";
import { STATE_SIZE_WARNING_BYTES } from "../../actor/options.ts";
import { currentSpan } from "../calls/call-scope.ts";
import {
	type AtomicScope,
	type BatchPart,
	NO_SAVEPOINT,
	type OpenBatch,
	type Savepoint,
} from "../commit/batch-part.ts";
import { assertStepIsOpen, currentStep } from "../durable/step-work.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import {
	assertStorable,
	type ChangedHolder,
	type TrackedState,
	type TrackStateOptions,
	trackState,
} from "../state/track-state.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import { encodeStorable } from "./encode-storable.ts";
import type { ActorInstance } from "./instance.ts";
import { awaken, isSame, type RestingBytes, rest } from "./resting-bytes.ts";
import { type JournalEntry, StateJournal } from "./state-journal.ts";
import { type StoredState, stateOps } from "./state-layout.ts";

const STATE_HOOK = "onStateChange";

/**
 * An actor's state between memory and disk: a flag while user code runs, one encoding per commit, and
 * the bytes committed last, to skip commits that change nothing and to go back to when one fails.
 */
export class StateKeeper implements BatchPart, TrackStateOptions {
	readonly #instance: ActorInstance;
	#tracked: TrackedState | null = null;
	#changed = false;
	#committed: RestingBytes | null = null;
	#committedChunked = false;
	/** Of the batch being committed. */
	#taken: { readonly bytes: Uint8Array; readonly chunked: boolean } | null = null;
	#journal: StateJournal | null = null;
	#inStateChange = false;
	#sizeWarned = false;
	/** What those see who may read the state and no longer write it. */
	#former: TrackedState | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** How paths in errors begin. */
	get rootPath(): string {
		return "state";
	}

	get value(): unknown {
		return this.#tracked?.value;
	}

	get raw(): unknown {
		return this.#tracked?.raw;
	}

	/** The state for whoever had it before {@link renew}: as it is, and not to be written. */
	get formerValue(): unknown {
		return this.#former?.value;
	}

	/** The first state of a new actor; part of the first commit. Throws `state.invalid_type`. */
	create(raw: unknown): void {
		assertStorable(raw, "state");
		this.#adopt(raw);
		this.#changed = true;
		this.#instance.committer.markDirty();
	}

	/** What a wake found on disk; null when nothing was ever stored. */
	load({ bytes, chunked }: StoredState): void {
		this.#committed = bytes === null ? null : rest(bytes);
		this.#committedChunked = chunked;
		this.#adopt(bytes === null ? undefined : decodeCbor(bytes));
	}

	replace(next: unknown): void {
		this.#tracked?.replace(next);
	}

	/** For actions that take back what they changed when they fail; null when they do not. */
	beginEntry(): JournalEntry | null {
		const { config, options } = this.#instance;
		if (!options.rollbackOnError || !config.hasState) return null;
		this.#journal ??= new StateJournal(this);
		return this.#journal.begin();
	}

	/** A step of a workflow that changed the state ends: what it changed is in the next commit. */
	adoptStepChanges(): void {
		this.#changed = true;
		this.#instance.committer.markDirty();
	}

	take(batch: OpenBatch): void {
		if (!this.#changed) return;
		this.#changed = false;
		const bytes = this.#encode();
		if (this.#committed !== null && isSame(this.#committed, bytes)) return;
		const { ops, chunked } = stateOps(bytes, this.#committedChunked);
		this.#taken = { bytes, chunked };
		batch.ops.push(...ops);
	}

	committed(): void {
		if (!this.#taken) return;
		this.#committed = rest(this.#taken.bytes);
		this.#committedChunked = this.#taken.chunked;
		this.#taken = null;
	}

	rollBack(): void {
		this.#taken = null;
		this.#changed = false;
		if (this.#committed === null) return;
		this.#journal?.rollsBack();
		this.#tracked?.reset(decodeCbor(awaken(this.#committed)));
	}

	savepoint(scope: AtomicScope): Savepoint {
		if (!this.#instance.config.hasState) return NO_SAVEPOINT;
		this.#journal ??= new StateJournal(this);
		return this.#journal.beginAtomic(scope);
	}

	#adopt(raw: unknown): void {
		this.#tracked = trackState(raw, this);
	}

	/** Parts of the state that somebody holds can be read from now on, and no longer written (W-STOP-1). */
	renew(): void {
		if (this.#former || !this.#tracked) return;
		this.#former = this.#tracked;
		this.#tracked = trackState(this.#tracked.raw, {
			rootPath: this.rootPath,
			onChange: (holder, at) => this.onChange(holder, at),
			beforeWrite: () => this.#admitWrite(),
		});
	}

	/** For the first tracked tree only. */
	beforeWrite(): void {
		if (this.#former) {
			throw catalogueError("actor.stopping", { actorId: this.#instance.actorId });
		}
		this.#admitWrite();
	}

	#admitWrite(): void {
		this.#instance.assertWritable();
		if (this.#instance.durable) assertStepIsOpen(this.#instance, "state");
		this.#journal?.beforeWrite();
	}

	/** For the tracked tree only. */
	onChange(holder?: ChangedHolder, at?: unknown): void {
		const instance = this.#instance;
		const step = instance.durable ? currentStep(instance) : undefined;
		if (step && !instance.isInAtomic) {
			// No reason to save: the record of the step is (workflows 6.5).
			step.changedState = true;
		} else {
			this.#changed = true;
			instance.committer.markDirty();
			// A call asks for the commit when it ends; everybody else needs the timer (W-STATE-2).
			if (!instance.inCall) instance.writes.saveSoon();
		}
		if (instance.config.onStateChange && instance.isReady && !this.#inStateChange) {
			this.#callOnStateChange(
				instance.config.onStateChange,
				() => holder?.pathTo(at) ?? this.rootPath,
			);
		}
	}

	#callOnStateChange(
		onStateChange: (c: unknown, newState: unknown) => unknown,
		path: () => string,
	): void {
		const failed = (error: unknown) => {
			this.#instance.log.error({ err: error }, "onStateChange failed; the change is kept");
		};
		this.#inStateChange = true;
		try {
			const instance = this.#instance;
			const result = instance.traced(SPAN_KINDS.hook, STATE_HOOK, () => {
				if (instance.telemetry?.host.recordsSpans) {
					const span = currentSpan();
					// One that is left out leaves that of its caller.
					if (span?.subject === STATE_HOOK) span.set("rivet.state.path", path());
				}
				return onStateChange(instance.contexts.actor, this.#tracked!.raw);
			});
			if (isPromiseLike(result)) result.then(undefined, failed);
		} catch (error) {
			failed(error);
		} finally {
			this.#inStateChange = false;
		}
	}

	#encode(): Uint8Array {
		const bytes = encodeStorable(this.#tracked!.raw, this.rootPath);
		const limit = this.#instance.options.maxStateSize;
		const size = bytes.byteLength;
		if (size > limit) throw catalogueError("state.too_large", { size, limit });
		if (size > STATE_SIZE_WARNING_BYTES && !this.#sizeWarned) {
			this.#sizeWarned = true;
			this.#instance.log.warn(
				{ size, limit },
				"state is large and is written whole at every commit; keep growing data in c.kv or c.db",
			);
		}
		return bytes;
	}
}
