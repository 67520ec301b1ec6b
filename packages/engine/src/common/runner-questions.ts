/** A runner as the management API shows it (contract: engine 2.5). */
export interface RunnerView {
	readonly runnerId: string;
	readonly namespace: string;
	readonly pool: string;
	readonly key: string;
	readonly version: number;
	readonly totalSlots: number;
	readonly remainingSlots: number;
	readonly createTs: number;
	readonly drainTs: number | null;
	readonly stopTs: number | null;
	readonly lastPingTs: number;
	readonly lastConnectedTs: number | null;
	readonly lastRttMs: number;
	readonly metadata: unknown;
}

/** Which runners of a namespace are asked for. */
export interface RunnersQuery {
	readonly namespace: string;
	/** Default: of all. */
	readonly pool?: string;
	/** Default: all. */
	readonly runnerIds?: readonly string[];
	/** Whether those that are gone are, too. */
	readonly includesStopped: boolean;
	/** Only those strictly after this position. Without the id: only those created before `createTs`. */
	readonly before?: { readonly createTs: number; readonly id?: string };
	readonly limit: number;
}

/** What is known of an actor beside its record. */
export interface ActorCondition {
	/** Since when it waits for a slot. */
	readonly pendingAllocationTs: number | null;
	/** When it is started again after a crash. */
	readonly rescheduleTs: number | null;
	/** Why it does not run, as the API shows it (contract: engine 2.4); null for nothing. */
	readonly error: unknown;
	/** When that was so last; nodes of a version before this do not tell it. */
	readonly errorTs?: number;
	/** It takes no calls any more, though its record does not say so yet. Absent when it is not so, here as below. */
	readonly isStopping?: true;
	/** Since when it sleeps, where that is not what its record says: on its way to sleep, or to its next start. */
	readonly sleepTs?: number | null;
}

/** What each node knows of its own runners only, one item of the answer each. */
export interface RunnerAnswers {
	readonly runners: RunnerView;
	/** Names of pools that have runners. */
	readonly pools: string;
	/** Of those actors of which there is something to tell. */
	readonly conditions: readonly [actorId: string, condition: ActorCondition];
	/** Of serverless pools that fail, see `PoolError`. */
	readonly poolErrors: readonly [pool: string, error: unknown];
}

interface Questions {
	readonly runners: { readonly query: RunnersQuery };
	readonly pools: { readonly namespace: string };
	readonly conditions: { readonly actorIds: readonly string[] };
	readonly poolErrors: { readonly namespace: string };
}

/** What one node asks all others, because lists are those of all. */
export type RunnerQuestion<About extends keyof RunnerAnswers = keyof RunnerAnswers> = {
	[K in About]: { readonly about: K } & Questions[K];
}[About];

/** Asks all other nodes; the answer has what those say that can be reached. */
export type AskOthers = <About extends keyof RunnerAnswers>(
	question: RunnerQuestion<About>,
) => Promise<RunnerAnswers[About][]>;
