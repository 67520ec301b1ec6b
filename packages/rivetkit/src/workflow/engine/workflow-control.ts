import { catalogueError, decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type {
	ActorWorkflow,
	WorkflowCancelOptions,
	WorkflowHistory,
	WorkflowRecoverOptions,
	WorkflowReplayOptions,
	WorkflowStatus,
} from "../../actor/workflow-control.types.ts";
import { CancelledError } from "../errors.ts";
import type { StoredMessage } from "../history/entry.ts";
import { decodeHead, encodeHead } from "../history/head.ts";
import { pathOf } from "../history/located-entry.ts";
import { ALL_ENTRIES, ALL_HISTORY, entryRange } from "../history/location.ts";
import { entriesToRecover, reopen } from "../history/recovery.ts";
import {
	entriesToReplay,
	locate,
	messagesSentAgain,
	messagesToReturn,
	openMessages,
	renumberMessages,
	type StoredEntryAt,
} from "../history/rewind.ts";
import { heldAgain } from "../history/stored-message.ts";
import { statusOf } from "../inspect/shown-workflow.ts";
import { checkControlOptions } from "./control-options.ts";
import type { WorkflowEngine } from "./engine.ts";
import { idOf } from "./entry-id.ts";

/** What `export` writes. */
type Exported = [format: number, head: Uint8Array, entries: [key: Uint8Array, value: Uint8Array][]];
const EXPORT_FORMAT = 1;
/** How often a history is read that changes while it is read. */
const LOOKS_MAX = 100;

/** All of it, or nothing: throws `workflow.unknown_export`. `latest`: the highest order of an entry's end. */
function readExported(bytes: Uint8Array) {
	let format: unknown = "unknown";
	try {
		const exported = decodeCbor(bytes) as Exported;
		if (Array.isArray(exported) && Number.isInteger(exported[0])) [format] = exported;
		if (format === EXPORT_FORMAT) {
			const entries = locate(exported[2]);
			const latest = entries.reduce(
				(sequence, { entry }) => Math.max(sequence, entry.createdSequence, entry.completedSequence),
				0,
			);
			return { head: decodeHead(exported[1]), entries, latest };
		}
	} catch (cause) {
		throw catalogueError("workflow.unknown_export", { format: String(format) }, { cause });
	}
	throw catalogueError("workflow.unknown_export", { format: String(format) });
}

/** `c.workflow`: a workflow from outside of it (workflows 5.6). */
export class WorkflowControl implements ActorWorkflow {
	readonly #engine: WorkflowEngine;

	constructor(engine: WorkflowEngine) {
		this.#engine = engine;
	}

	status(): WorkflowStatus {
		const engine = this.#engine;
		const { isBusy: isAtWork, waitingFor } = engine;
		return statusOf(engine.head, { isAtWork, waitingFor });
	}

	async pause(): Promise<void> {
		const engine = this.#engine;
		if (engine.hasEnded || engine.head.isPaused) return;
		engine.head.isPaused = true;
		engine.writeHead();
		engine.restart("The workflow was paused");
		await engine.flushed();
	}

	async resume(): Promise<void> {
		const engine = this.#engine;
		if (!engine.head.isPaused) return;
		delete engine.head.isPaused;
		engine.writeHead();
		engine.signal();
		await engine.flushed();
	}

	async cancel(options: WorkflowCancelOptions = {}): Promise<void> {
		checkControlOptions("cancel", options);
		const { reason = "", rollback = true } = options;
		const engine = this.#engine;
		const { head } = engine;
		if (engine.hasEnded) return;
		// One that has failed is being undone already.
		if (rollback && head.state === "rolling_back") return engine.flushed();
		head.cancelReason = reason;
		delete head.isPaused;
		const undoes = rollback && engine.mayHaveToUndo;
		delete head.blocked;
		if (undoes) head.state = "rolling_back";
		engine.host.log.info({ reason, undoes }, "the workflow is cancelled");
		const said = `The workflow was cancelled${reason === "" ? "" : `: ${reason}`}`;
		engine.execution?.finish({ kind: "stopped" }, new CancelledError(said));
		if (undoes) engine.writeHead();
		if (!undoes) void engine.end("cancelled");
		engine.signal();
		await engine.flushed();
	}

	async recover(options: WorkflowRecoverOptions = {}): Promise<void> {
		checkControlOptions("recover", options);
		const { skipRollback = [] } = options;
		const engine = this.#engine;
		const { head } = engine;
		if (head.state === "rolling_back" && skipRollback.length > 0) {
			head.skipRollback = [...new Set([...(head.skipRollback ?? []), ...skipRollback])];
			delete head.rollback;
			engine.writeHead();
			engine.signal();
			await engine.flushed();
			return;
		}
		if (head.blocked) {
			engine.signal();
			return;
		}
		const assertFailed = () => {
			if (head.state === "failed") return;
			throw catalogueError("workflow.not_recoverable", { state: this.status().state });
		};
		await this.#rewind(assertFailed, (located) => {
			// Messages that were not completed went back to the queue when it failed.
			const { gone, reopened, optional } = entriesToRecover(located, (message) =>
				engine.host.messages.isQueued(message),
			);
			this.#takeBack(gone);
			for (const at of reopened) reopen(at);
			for (const { entry } of optional) entry.data.isOptional = true;
			for (const { key, entry } of [...reopened, ...optional]) engine.journal.entry(key, entry);
			// Undone effects are not to be found again under their old key.
			if (gone.some(({ entry }) => entry.rollbackCompletedAt > 0)) head.epoch++;
		});
	}

	wake(): void {
		this.#engine.signal();
		this.#engine.host.lookAtDeadlines();
	}

	async history(): Promise<WorkflowHistory | null> {
		await this.#engine.flushed();
		return this.#engine.view.history("plain");
	}

	async replay(options: WorkflowReplayOptions = {}): Promise<WorkflowHistory | null> {
		checkControlOptions("replay", options);
		const { entryId } = options;
		const engine = this.#engine;
		await this.#rewind(
			() => this.#assertParked(),
			(located) => {
				if (entryId === undefined) {
					this.#takeAllBack(located);
					engine.head.depths = [];
				} else {
					this.#takeBack(entriesToReplay(located, this.#stepOf(located, entryId)));
				}
				engine.head.epoch++;
			},
		);
		return this.history();
	}

	async export(): Promise<Uint8Array> {
		const engine = this.#engine;
		await engine.flushed();
		const entries = await engine.host.scan(ALL_ENTRIES);
		const exported: Exported = [EXPORT_FORMAT, encodeHead(engine.head), entries];
		return encodeCbor(exported);
	}

	async import(bytes: Uint8Array): Promise<void> {
		const engine = this.#engine;
		const { head, entries, latest } = readExported(bytes);
		const { depths, startedAt, epoch, isRewound = false } = head;
		await this.#rewind(
			() => this.#assertParked(),
			(located) => {
				this.#takeAllBack(located);
				renumberMessages(entries, () => engine.host.messages.reserveId());
				for (const { key, entry } of entries) {
					// They are in the queue of the actor that they came from: nothing here is to be completed for them.
					for (const message of openMessages(entry)) message.isCompleted = true;
					engine.journal.entry(key, entry);
				}
				Object.assign(engine.head, {
					depths,
					startedAt,
					isRewound,
					epoch: Math.max(epoch, engine.head.epoch) + 1,
				});
				engine.sequencesFrom(latest);
			},
		);
	}

	/**
	 * Changes the history in one commit and runs again from it. `change` gets all entries as they are in that very
	 * moment. Throws what `check` throws, and `actor.workflow_in_flight` for a workflow that does not come to rest.
	 */
	async #rewind(
		check: () => void,
		change: (located: readonly StoredEntryAt[]) => void,
	): Promise<void> {
		const engine = this.#engine;
		for (let look = 0; look < LOOKS_MAX; look++) {
			await engine.reached();
			check();
			await engine.flushed();
			const { writes } = engine.journal;
			const scanned = await engine.host.scan(ALL_ENTRIES);
			check();
			if (engine.journal.writes !== writes || !engine.hasReached) continue;
			change(locate(scanned));
			return this.#runAgain();
		}
		throw catalogueError("actor.workflow_in_flight", {});
	}

	#stepOf(located: readonly StoredEntryAt[], entryId: string): StoredEntryAt {
		const { actorId } = this.#engine.host;
		const found = located.find(
			({ segments, entry }) =>
				entry.is("step") && idOf(actorId, entry.epoch, pathOf(segments)) === entryId,
		);
		if (!found) throw catalogueError("workflow.entry_not_found", { entryId });
		return found;
	}

	/** While code of it runs, nobody knows what it is about to record; cancelled is final (workflows 5.6). */
	#assertParked(): void {
		const { head, isBusy, hasEnded } = this.#engine;
		if (head.state === "cancelled") throw catalogueError("workflow.not_replayable", {});
		if (isBusy && !hasEnded) throw catalogueError("actor.workflow_in_flight", {});
		if (head.state === "rolling_back") throw catalogueError("actor.workflow_in_flight", {});
	}

	/** What they have of the queue is in the queue again, in the same commit. */
	#takeBack(entries: readonly StoredEntryAt[]): void {
		const { head, journal } = this.#engine;
		this.#stop();
		head.isRewound = true;
		for (const { key } of entries) journal.deleteRange(entryRange(key));
		this.#takeBackMessages(entries);
	}

	#takeAllBack(entries: readonly StoredEntryAt[]): void {
		const { journal, host } = this.#engine;
		this.#stop();
		journal.deleteRange(ALL_HISTORY);
		this.#takeBackMessages(entries);
		host.messages.releaseAll();
	}

	/** What waits for messages would get those that go back. */
	#stop(): void {
		this.#engine.restart("The workflow begins again from its records");
	}

	/** The queue is as if the entries had never been, as far as nobody else has worked on what they sent. */
	#takeBackMessages(entries: readonly StoredEntryAt[]): void {
		const { messages } = this.#engine.host;
		const sentAgain = messagesSentAgain(entries);
		const open = new Set(entries.flatMap(({ entry }) => openMessages(entry).map(({ id }) => id)));
		// What an entry holds that stays is its own.
		for (const id of sentAgain) messages.withdraw(id, { isFreeOnly: !open.has(id) });
		for (const id of open) messages.release(id);
		for (const message of messagesToReturn(entries, sentAgain)) this.#putBack(message);
	}

	/** A time to live runs from the send, wherever the message is: what comes back after it is dropped. */
	#putBack(message: StoredMessage): void {
		const { host } = this.#engine;
		const { id, name, expiresAt } = message;
		if (expiresAt === undefined || expiresAt > host.now()) {
			host.messages.putBack(heldAgain(message));
			return;
		}
		host.log.warn(
			{ queue: name, messageId: id, expiresAt },
			"a queue message of a record that is taken back is dropped: its time to live is over",
		);
	}

	/** Runs again from what is left. */
	async #runAgain(): Promise<void> {
		const engine = this.#engine;
		const { head } = engine;
		head.state = "running";
		delete head.error;
		delete head.output;
		delete head.blocked;
		delete head.crash;
		delete head.cancelReason;
		delete head.skipRollback;
		delete head.rollback;
		engine.writeHead();
		this.#stop();
		engine.signal();
		await engine.flushed();
		engine.host.restart();
	}
}
