import type { ActorAssignment } from "@rivetkit/protocol";
import type { LifecycleEntry } from "../lifecycle-log.ts";

/**
 * - `awake`: an incarnation takes calls
 * - `starting`, `stopping`: one is on its way in, or out
 * - `failing`: none lives, and the last start failed
 * - `sleeping`: none lives, and the next call or alarm starts one
 */
export type ActorStatus = "awake" | "starting" | "stopping" | "failing" | "sleeping";

/** Times in milliseconds since the epoch; null for never, or not known. */
export interface LifecycleReport {
	readonly actorId: string;
	readonly name: string;
	readonly key: readonly string[];
	/** Of the newest incarnation; -1 before the first. */
	readonly generation: number;
	readonly status: ActorStatus;
	/** Where its incarnation is in its life; null without one. */
	readonly phase: string | null;
	/** What keeps it awake, in words; empty without an incarnation. */
	readonly awakeBecause: readonly string[];
	readonly createdAtMs: number;
	/** When the incarnation of now, or the last one, became ready. */
	readonly startedAtMs: number | null;
	readonly sleptAtMs: number | null;
	/** When it is woken by itself. */
	readonly wakesAtMs: number | null;
	/** Set while it is `failing`. */
	readonly failure: {
		readonly message: string;
		readonly atMs: number;
		/** Not started again before. */
		readonly retryAtMs: number;
	} | null;
	/** What happened to its incarnations on this host lately, oldest first. */
	readonly history: readonly LifecycleEntry[];
}

/** What every report begins with. */
export function identityOf({ actorId, name, key, generation, createTs }: ActorAssignment) {
	return { actorId, name, key, generation, createdAtMs: createTs };
}
