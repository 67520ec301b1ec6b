import {
	type ActorAssignment,
	catalogueError,
	decodeCbor,
	type StorageOp,
} from "@rivetkit/protocol";
import { type ErasedActorConfig, isDeadLetterQueue } from "../../../actor/erased.ts";
import type { ActorBackend } from "../../../backends/backend.ts";
import {
	entriesOf,
	type StoredEntries,
	SUBSPACE_QUEUE,
	SUBSPACE_STATE,
	WAKE_END,
	WAKE_START,
} from "../../commit/storage-layout.ts";
import { encodeStorable } from "../../instance/encode-storable.ts";
import { readState, stateOps } from "../../instance/state-layout.ts";
import { assertRoomIn } from "../../queue/admission.ts";
import { redrive } from "../../queue/dead-letters.ts";
import type { QueuedMessage } from "../../queue/message.ts";
import { QueueData } from "../../queue/queue-data.ts";
import { assertStorable } from "../../state/track-state.ts";
import { droppable } from "../changes/change-queue.ts";
import { shown } from "../changes/shown.ts";
import type { InspectorCall } from "../http/call.ts";
import { messageChoice, newState, redriveChoice } from "../http/request-parts.ts";
import { invalid } from "../invalid.ts";
import { assertStateVersion } from "../state-version.ts";

/** What is stored of an actor that does not start. */
export interface StoredActor {
	readonly config: ErasedActorConfig;
	readonly assignment: ActorAssignment;
	readonly entries: StoredEntries;
	readonly backend: ActorBackend;
	now(): number;
}

/** A change of what is stored: what has to be written, and what is answered then. */
type StoredChange = (actor: StoredActor) => {
	readonly ops: readonly StorageOp[];
	readonly answer: object;
};

/** Reads and checks what a request asks for, before the actor is touched: a request may be as slow as its caller. */
export type Repair = (config: ErasedActorConfig, call: InspectorCall) => Promise<StoredChange>;

/** Reads, changes and writes. Throws `request.invalid` when the actor was never created, and what the change throws. */
export async function repair(
	{ backend, assignment, ...actor }: Omit<StoredActor, "entries">,
	change: StoredChange,
): Promise<object> {
	const entries = await backend.load(assignment, { start: WAKE_START, end: WAKE_END });
	if (entries === null) {
		throw invalid(
			"the actor was never created, because its first start failed: nothing is stored of it",
		);
	}
	const { ops, answer } = change({ ...actor, backend, assignment, entries });
	if (ops.length > 0) await backend.commit(assignment, { ops });
	return answer;
}

/** No hook hears of it. */
export const repairState: Repair = async (config, call) => {
	const state = newState(await call.body());
	if (!config.hasState) throw catalogueError("actor.state_not_enabled", {});
	const encoded = encodedState(state, config.options.maxStateSize);
	const ifMatch = call.request.headers.get("if-match");
	return ({ entries }) => {
		const stored = entriesOf(entries, SUBSPACE_STATE);
		assertStateVersion(() => decodedState(stored), ifMatch);
		// Whatever is there goes, also of a state that cannot be read.
		return { ops: stateOps(encoded, stored.length > 1).ops, answer: { ok: true } };
	};
};

function encodedState(state: unknown, limit: number): Uint8Array {
	try {
		assertStorable(state, "state");
		const encoded = encodeStorable(state, "state");
		const size = encoded.byteLength;
		if (size > limit) throw catalogueError("state.too_large", { size, limit });
		return encoded;
	} catch (error) {
		throw shown(error, "state");
	}
}

function decodedState(stored: StoredEntries): unknown {
	const { bytes } = readState(stored);
	return bytes === null ? undefined : decodeCbor(bytes);
}

export const repairDeadLetters: Repair = async (_, call) => {
	const choice = redriveChoice(await call.body());
	return (actor) => {
		const data = queueOf(actor);
		const redriven = redrive(
			{
				data,
				// Nobody receives: the next start finds them where they are then.
				deliveries: { decisions: null, offerAll: () => {} },
				assertRoomFor: (name, count) => assertRoomIn(actor.config, data.index, name, count),
			},
			choice,
		);
		return { ops: opsOf(data), answer: { redriven } };
	};
};

export const removeMessages: Repair = async (_, { query }) => {
	const name = query.get("name");
	return (actor) => {
		const { ops } = drop(actor, ({ header }) => name === null || header.name === name);
		return { ops, answer: {} };
	};
};

export const removeMessage: Repair = async (_, call) => {
	const isMeant = messageChoice(call);
	return (actor) => {
		const { ops, count } = drop(actor, isMeant);
		return { ops, answer: { dropped: count > 0 } };
	};
};

function drop(actor: StoredActor, isMeant: (message: QueuedMessage) => boolean) {
	const data = queueOf(actor);
	const dropped = droppable(data, isMeant);
	for (const { message, outcome } of dropped) data.remove(message, outcome);
	return { ops: opsOf(data), count: dropped.length };
}

function queueOf({ backend, assignment, config, entries, now }: StoredActor): QueueData {
	const data = new QueueData(backend, assignment, {
		now,
		isDeadLetter: (name) => isDeadLetterQueue(config, name),
		wrote: () => {},
		schedule: nobodyWaits,
		waitBegan: nobodyWaits,
		waitEnded: nobodyWaits,
	});
	data.load(entriesOf(entries, SUBSPACE_QUEUE));
	return data;
}

function nobodyWaits(): never {
	throw new Error("Nobody waits for messages of an actor that does not run");
}

function opsOf(data: QueueData): StorageOp[] {
	const ops: StorageOp[] = [];
	data.take({ ops });
	return ops;
}
