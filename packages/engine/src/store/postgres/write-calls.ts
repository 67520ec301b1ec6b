import type { ActorRecord, CommitBatch, InsertedActor, NewActor } from "../store.ts";
import { netEffect } from "./net-effect.ts";

/** What a call writes; several of one kind go into one statement. */
export type Write =
	| {
			readonly kind: "insert";
			readonly actor: NewActor;
			readonly generation: number;
			/** Epoch that runs it from the start. */
			readonly owner: number | null;
	  }
	| {
			readonly kind: "commit";
			readonly batch: CommitBatch;
			/** Makes an actor of generation {@link IMPORTING} one that can be acquired. */
			readonly endsImport: boolean;
			readonly effect: ReturnType<typeof netEffect>;
	  }
	| { readonly kind: "acquire"; readonly actorId: string; readonly owner: number | null }
	| { readonly kind: "release"; readonly actorId: string; readonly generation: number }
	| { readonly kind: "discard"; readonly actorId: string; readonly generation: number };

export type WriteKind = Write["kind"];

/** What a statement found for each of its writes. */
export type Outcome =
	| { readonly kind: "done" }
	/** The generation was not the newest, or there is no such live actor. */
	| { readonly kind: "stale" }
	| { readonly kind: "inserted"; readonly result: InsertedActor }
	/** Neither made nor found: somebody else made or destroyed it meanwhile, or the id is taken. */
	| { readonly kind: "unsettled" }
	| { readonly kind: "acquired"; readonly record: ActorRecord };

/** Of an actor between its insert and the commit of what it stores, in one transaction: no other ever has it. */
export const IMPORTING = -2;

export function commitWrite(batch: CommitBatch): Write {
	return {
		kind: "commit",
		batch,
		endsImport: batch.generation === IMPORTING,
		effect: netEffect(batch.destroyTs === undefined ? batch.ops : []),
	};
}

export function actorIdOf(write: Write): string {
	switch (write.kind) {
		case "insert":
			return write.actor.actorId;
		case "commit":
			return write.batch.actorId;
		default:
			return write.actorId;
	}
}

/** Whether it may free a key that an insert is waiting for. */
export function freesKey(write: Write): boolean {
	return (
		write.kind === "discard" || (write.kind === "commit" && write.batch.destroyTs !== undefined)
	);
}

/** Bytes of what is sent, roughly. */
export function bytesOf(write: Write): number {
	if (write.kind === "insert") {
		return 512 + (write.actor.input?.byteLength ?? 0);
	}
	if (write.kind !== "commit") {
		return 64;
	}
	const { puts, deletes, ranges } = write.effect;
	return (
		128 +
		puts.reduce((sum, [key, value]) => sum + 16 + key.byteLength + value.byteLength, 0) +
		deletes.reduce((sum, key) => sum + 16 + key.byteLength, 0) +
		ranges.length * 64
	);
}
