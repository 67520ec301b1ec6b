import type { ActorWorkflow } from "../../actor/workflow-control.types.ts";
import type { BatchPart } from "../commit/batch-part.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import type { DurableHost } from "./durable-host.ts";
import type { DurableView } from "./durable-view.ts";

/**
 * The engine behind a `run` that survives crashes (a workflow): one per incarnation of the actor. What it
 * records is a part of the actor's commits.
 */
export interface DurableRun extends BatchPart {
	/**
	 * Adopts what an earlier incarnation stored; not called for a new actor.
	 *
	 * @param published - what 2.1.3 stored, if there is something (workflows 7.6)
	 */
	load(head: Uint8Array | null, published: StoredEntries): void;
	/**
	 * Goes on where the last one stopped. Resolves when it has come to its end, or when the actor stops and
	 * nothing of it runs any more. Rejects when it has to be started again (a commit failed).
	 */
	run(): Promise<void>;
	/** The actor stops: nothing new begins; what runs may end and be recorded. */
	abort(): void;
	/** The actor's incarnation is over. */
	stop(): void;
	/** Whether it has something to do that nobody else's alarm or message stands for. */
	readonly needsWake: boolean;
	/** Whether code of it is at work. */
	readonly isBusy: boolean;
	/** Whether it waits for a message of this queue. */
	waitsFor(queue: string): boolean;
	/** Messages that steps under way have sent, which are in their queues when the steps are recorded; null for all queues. */
	sendsPutOff(queue: string | null): number;
	/** `c.workflow`. */
	readonly control: ActorWorkflow;
	/** For inspectors. */
	readonly view: DurableView;
}

/** What `run` carries when it is durable. */
export type DurableRunFactory = (host: DurableHost) => DurableRun;
