import type { ActorRecord } from "./store.ts";

/** What the records say of actors for which there is something to do when the process after theirs begins. */
type Left = Pick<ActorRecord, "connected" | "crashPolicy" | "startTs" | "sleepTs" | "destroyTs">;

/**
 * Whether the actor has run, nobody has put it to sleep, and its crash policy says that it is to go on (contract:
 * lifecycle 17). One whose creation was cut off has not run: nobody was told that it is there.
 */
export function isLeftRunning({ crashPolicy, startTs, sleepTs, destroyTs }: Left): boolean {
	return crashPolicy === "restart" && startTs !== null && sleepTs === null && destroyTs === null;
}

/** See `Store.actorsToResume`. */
export function isToResume(record: Left): boolean {
	return record.connected || isLeftRunning(record);
}
