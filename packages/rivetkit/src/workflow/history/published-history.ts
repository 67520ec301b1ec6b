import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import {
	decodeStoredEntry,
	decodeStoredEntryMetadata,
	type workflow,
} from "@rivetkit/protocol/inspector";
import { Entry, type Kind, type KindData, type Status, type StoredMessage } from "./entry.ts";
import { type Head, newHead } from "./head.ts";
import { type KeyRange, Location, type Segment, segmentId } from "./location.ts";
import type { StoredError } from "./stored-error.ts";

/**
 * Histories of 2.1.3, for actors that began with it (workflows 7.6). Below two bytes, each key is a tuple:
 *
 * | key | value |
 * |---|---|
 * | `(1, index)` | a name |
 * | `(2, …location)` | an entry; its location is in the value as well |
 * | `(3, 1)`, `(3, 2)`, `(3, 3)` | state, output, error |
 * | `(4, id)` | metadata of an entry; only steps have them |
 */
export const PUBLISHED_HISTORY: KeyRange = {
	start: Uint8Array.of(0x06, 0x01),
	end: Uint8Array.of(0x06, 0x02),
};

export interface TakenOver {
	readonly head: Head;
	readonly entries: readonly { readonly key: Uint8Array; readonly entry: Entry }[];
}

type Rows = readonly (readonly [key: Uint8Array, value: Uint8Array])[];

/** The same history as ours. Throws on what 2.1.3 does not write: nothing is guessed. */
export function readPublishedHistory(rows: Rows, nowMs: number): TakenOver {
	return new Conversion(rows, nowMs).run();
}

const text = new TextDecoder();

/** Between entries that are taken over: all of them come before the first of ours, which has order 1. */
const ORDER_STEP = 2 ** -32;

interface Found {
	readonly segments: readonly Segment[];
	readonly kind: workflow.EntryKind;
	readonly metadata: workflow.EntryMetadata | undefined;
}

/** Parts of a wait for messages, which 2.1.3 stores as entries of their own. */
const WAIT_PART = /^(.+):(count|deadline|\d+)$/s;

class Conversion {
	readonly #nowMs: number;
	readonly #names: string[] = [];
	readonly #found: Found[] = [];
	readonly #fields = new Map<number, Uint8Array>();
	readonly #converted: { key: Uint8Array; entry: Entry }[] = [];
	readonly #depths = new Set<number>();
	#sequence = 0;

	constructor(rows: Rows, nowMs: number) {
		this.#nowMs = nowMs;
		const metadata = new Map<string, workflow.EntryMetadata>();
		const stored: workflow.Entry[] = [];
		for (const [key, value] of rows) {
			const tuple = readTuple(key, 2);
			switch (tuple[0]) {
				case 1:
					this.#names[tuple[1] as number] = text.decode(value);
					break;
				case 2:
					stored.push(decodeStoredEntry(value));
					break;
				case 3:
					this.#fields.set(tuple[1] as number, value);
					break;
				case 4:
					metadata.set(tuple[1] as string, decodeStoredEntryMetadata(value));
					break;
				default:
					throw new Error(`A workflow history of 2.1.3 has no keys of kind ${String(tuple[0])}`);
			}
		}
		for (const { id, location, kind } of stored) {
			this.#found.push({ segments: this.#segments(location), kind, metadata: metadata.get(id) });
		}
		// Order in which they ended, as far as it is known: that in which steps are undone.
		this.#found.sort((a, b) => endOf(a) - endOf(b));
	}

	run(): TakenOver {
		const waits = new Map<string, Found[]>();
		for (const found of this.#found) {
			const wait = waitOf(found);
			if (wait === null) this.#convert(found);
			else waits.set(wait, [...(waits.get(wait) ?? []), found]);
		}
		for (const parts of waits.values()) this.#convertWait(parts);
		return { head: this.#head(), entries: this.#converted };
	}

	#head(): Head {
		const stored = this.#fields.get(1);
		const state = stored === undefined ? "pending" : text.decode(stored);
		const created = this.#found.flatMap(({ metadata }) =>
			metadata ? [Number(metadata.createdAt)] : [],
		);
		const head = newHead(Math.min(this.#nowMs, ...created));
		head.isClean = true;
		head.depths = [...this.#depths].sort((a, b) => a - b);
		switch (state) {
			case "completed":
			case "cancelled":
			case "failed":
			case "rolling_back":
				head.state = state;
				break;
			default:
				head.state = "running";
		}
		const [output, error] = [this.#fields.get(2), this.#fields.get(3)];
		if (head.state === "completed" && output) head.output = output;
		if ((head.state === "failed" || head.state === "rolling_back") && error) {
			head.error = failure(errorText(error));
		}
		return head;
	}

	#segments(location: readonly workflow.PathSegment[]): Segment[] {
		return location.map((segment) => {
			if (segment.tag === "LoopMarker") {
				return { kind: "iteration", iteration: segment.val.iteration };
			}
			const name = this.#names[segment.val];
			if (name !== undefined) return { kind: "name", name };
			throw new Error(`A workflow history of 2.1.3 lacks the name ${segment.val}`);
		});
	}

	#convert({ segments, kind, metadata }: Found): void {
		const ended = (status: Status, data: unknown, error: StoredError | null = null) =>
			this.#add(segments, kindOf(kind.tag), status, data as never, error, metadata);
		switch (kind.tag) {
			case "Step":
				this.#convertStep(segments, kind.val, metadata);
				return;
			case "Sleep": {
				const data = { deadline: Number(kind.val.deadline) };
				return void ended(kind.val.state === "Pending" ? "pending" : "completed", data);
			}
			case "Loop": {
				const { state, iteration, output } = kind.val;
				const data: KindData["loop"] = {
					iteration,
					prunedTo: Math.max(0, Math.min(...this.#iterations(segments), iteration)),
					recordedTo: Math.max(iteration, ...this.#iterations(segments)),
					...valueIn("state", state),
					...(output && valueIn("output", output)),
				};
				return void ended(output ? "completed" : "running", data);
			}
			case "Join":
				this.#convertJoin(segments, kind.val.branches);
				return;
			case "Race":
				this.#convertRace(segments, kind.val);
				return;
			case "RollbackCheckpoint":
				return void ended("completed", {});
			case "Removed":
				return void ended("completed", { originalType: kind.val.originalType });
			case "Message":
				throw new Error("A message without its wait");
		}
	}

	/** Numbers of the iterations that have records. */
	#iterations(loop: readonly Segment[]): number[] {
		const iterations = new Set<number>();
		for (const { segments } of this.#found) {
			const marker = segments[loop.length];
			if (marker?.kind === "iteration" && isBelow(segments, loop)) iterations.add(marker.iteration);
		}
		return [...iterations];
	}

	#convertStep(
		segments: readonly Segment[],
		{ output, error }: workflow.Step,
		metadata: workflow.EntryMetadata | undefined,
	): void {
		const name = nameOf(segments);
		switch (metadata?.status) {
			case "Completed":
				this.#add(
					segments,
					"step",
					"completed",
					output ? valueIn("output", output) : {},
					null,
					metadata,
				);
				return;
			case "Exhausted": {
				const message = `Step "${name}" exhausted retries: ${metadata.error ?? error ?? "unknown error"}`;
				const stored = { name: "StepExhaustedError", message, metadata: { stepName: name } };
				this.#add(segments, "step", "exhausted", { failKind: "exhausted" }, stored, metadata);
				return;
			}
			default: {
				// A try has failed, and another one is to come.
				const entry = this.#add(segments, "step", "running", {}, null, metadata);
				if (metadata?.error) entry.error = failure(metadata.error);
			}
		}
	}

	#convertJoin(segments: readonly Segment[], ends: ReadonlyMap<string, workflow.Branch>): void {
		const branches = [...ends.keys()];
		if (![...ends.values()].every(hasEnded)) {
			this.#add(segments, "join", "running", { branches });
			for (const [name, end] of ends) if (hasEnded(end)) this.#outcome(segments, name, end);
			return;
		}
		const outputs = new Map<string, Uint8Array | undefined>();
		const errors = new Map<string, StoredError>();
		for (const [name, { status, output, error }] of ends) {
			if (status === "Completed") outputs.set(name, valueIn("bytes", output).bytes);
			else errors.set(name, failure(error ?? "unknown error"));
		}
		const failed = [...errors.keys()];
		const data = {
			branches,
			outputs: Object.fromEntries(outputs),
			...this.#kept(segments, branches),
		};
		const error: StoredError | null =
			failed.length === 0
				? null
				: {
						name: "JoinError",
						message: `Join failed: ${failed.join(", ")}`,
						branches: Object.fromEntries(errors),
					};
		this.#add(segments, "join", error ? "failed" : "completed", data, error);
	}

	#convertRace(segments: readonly Segment[], { winner, branches: ends }: workflow.Race): void {
		const branches = [...ends.keys()];
		if (winner !== undefined) {
			const data = {
				branches,
				winner,
				...valueIn("output", ends.get(winner)?.output),
				...this.#kept(segments, branches),
			};
			this.#add(segments, "race", "completed", data);
			return;
		}
		this.#add(segments, "race", "running", { branches });
		for (const [name, end] of ends) if (hasEnded(end)) this.#outcome(segments, name, end);
	}

	/** Branches with records, which a rollback may need. */
	#kept(segments: readonly Segment[], branches: readonly string[]): { kept?: string[] } {
		const kept = branches.filter((name) =>
			this.#found.some((found) => isBelow(found.segments, [...segments, { kind: "name", name }])),
		);
		return kept.length > 0 ? { kept } : {};
	}

	#outcome(
		composite: readonly Segment[],
		name: string,
		{ status, output, error }: workflow.Branch,
	): void {
		const segments: Segment[] = [...composite, { kind: "name", name }, { kind: "outcome" }];
		const isDone = status === "Completed";
		const data = isDone ? valueIn("output", output) : {};
		const stored = isDone ? null : failure(error ?? "unknown error");
		this.#add(segments, "outcome", isDone ? "completed" : "failed", data, stored);
	}

	/** One wait of all its parts. Which queues it asked for, and how, the code says. */
	#convertWait(parts: readonly Found[]): void {
		const first = parts[0]!;
		const name = WAIT_PART.exec(nameOf(first.segments))![1]!;
		const segments: Segment[] = [...first.segments.slice(0, -1), { kind: "name", name }];
		const messages: { readonly at: number; readonly message: StoredMessage }[] = [];
		let count: number | undefined;
		let deadline: number | undefined;
		for (const { segments: of, kind } of parts) {
			const part = WAIT_PART.exec(nameOf(of))![2]!;
			if (kind.tag === "Sleep") deadline = Number(kind.val.deadline);
			else if (kind.tag !== "Message") throw new Error(`A ${kind.tag} in a wait for messages`);
			else if (part === "count") count = decodeCbor(kind.val.messageData) as number;
			else messages.push({ at: Number(part), message: messageIn(kind.val.messageData) });
		}
		messages.sort((a, b) => a.at - b.at);
		const data: KindData["message"] = {
			names: null,
			count: Math.max(1, count ?? 1),
			isCompletable: null,
			isBatch: true,
			...(deadline === undefined ? undefined : { deadline }),
			...(count === undefined
				? undefined
				: {
						messages: messages.slice(0, count).map(({ message }) => message),
						...(count === 0 ? { hasTimedOut: true } : undefined),
					}),
		};
		this.#add(segments, "message", count === undefined ? "pending" : "completed", data);
	}

	#add<K extends Kind>(
		segments: readonly Segment[],
		kind: K,
		status: Status,
		data: KindData[K],
		error: StoredError | null = null,
		metadata?: workflow.EntryMetadata,
	): Entry<K> {
		this.#sequence += ORDER_STEP;
		const sequence = this.#sequence;
		const createdAt = Number(metadata?.createdAt ?? this.#nowMs);
		const entry = new Entry(kind, sequence, createdAt, 0, data);
		entry.status = status;
		entry.error = error;
		if (metadata) {
			entry.attempts = metadata.attempts;
			entry.lastAttemptAt = Number(metadata.lastAttemptAt);
			entry.rollbackCompletedAt = Number(metadata.rollbackCompletedAt ?? 0);
			if (metadata.rollbackError) entry.rollbackError = failure(metadata.rollbackError);
		}
		if (entry.isFinished) {
			entry.completedAt = Number(metadata?.completedAt ?? createdAt);
			entry.completedSequence = sequence;
		}
		const scope = segments.slice(0, -1).reduce((at, one) => at.child(one), Location.root);
		this.#depths.add(scope.depth);
		this.#converted.push({ key: scope.keyAt(segments.at(-1)!), entry: entry as Entry });
		return entry;
	}
}

function kindOf(tag: workflow.EntryKind["tag"]): Kind {
	switch (tag) {
		case "RollbackCheckpoint":
			return "rollback_checkpoint";
		default:
			return tag.toLowerCase() as Kind;
	}
}

function nameOf(segments: readonly Segment[]): string {
	const last = segments.at(-1)!;
	if (last.kind === "name") return last.name;
	throw new Error("An entry of 2.1.3 has no name");
}

/** The path of the wait that this is a part of; null for an entry of its own. */
function waitOf({ segments, kind }: Found): string | null {
	const part = WAIT_PART.exec(nameOf(segments));
	if (kind.tag === "Message" && !part) throw new Error("A message of 2.1.3 without its wait");
	if (!part) return null;
	const isPart = kind.tag === "Message" || (kind.tag === "Sleep" && part[2] === "deadline");
	if (!isPart) return null;
	return [...segments.slice(0, -1).map(segmentId), part[1]].join("\0");
}

function isBelow(segments: readonly Segment[], prefix: readonly Segment[]): boolean {
	if (segments.length <= prefix.length) return false;
	return prefix.every((segment, at) => segmentId(segment) === segmentId(segments[at]!));
}

function hasEnded({ status }: workflow.Branch): boolean {
	return status === "Completed" || status === "Failed" || status === "Cancelled";
}

/** What is not known ended before everything that is. */
function endOf({ metadata }: Found): number {
	return Number(metadata?.completedAt ?? metadata?.createdAt ?? 0);
}

/** A value that is there; CBOR's undefined is none with us. */
function valueIn<Name extends string>(
	name: Name,
	bytes: Uint8Array | undefined,
): { [name in Name]?: Uint8Array } {
	if (bytes === undefined || decodeCbor(bytes) === undefined) return {};
	return { [name]: bytes.slice() } as { [name in Name]?: Uint8Array };
}

function messageIn(bytes: Uint8Array): StoredMessage {
	const { id, name, body, createdAt, completed } = decodeCbor(bytes) as Record<string, unknown>;
	return {
		id: Number(id),
		name: String(name),
		body: encodeCbor(body),
		createdAt: Number(createdAt),
		attempt: 1,
		isCompleted: completed === true,
	};
}

/** What 2.1.3 keeps of an error: `Name: message`, or a message. */
function failure(said: string): StoredError {
	const parts = /^([A-Z]\w*Error|Error): (.*)$/s.exec(said);
	return parts ? { name: parts[1]!, message: parts[2]! } : { name: "Error", message: said };
}

function errorText(stored: Uint8Array): string {
	const value: unknown = decodeCbor(stored);
	if (typeof value === "string") return value;
	const { name = "Error", message = "" } = (value ?? {}) as { name?: string; message?: string };
	return `${name}: ${message}`;
}

/** Tuples in the order-preserving encoding of FoundationDB: numbers from 0, and text. */
function readTuple(key: Uint8Array, start: number): (number | string | null)[] {
	const items: (number | string | null)[] = [];
	for (let at = start; at < key.byteLength; ) {
		const code = key[at++]!;
		if (code === 0x02) {
			const end = key.indexOf(0, at);
			items.push(text.decode(key.subarray(at, end)));
			at = end + 1;
		} else if (code >= 0x14 && code <= 0x1a) {
			let number = 0;
			for (let bytes = code - 0x14; bytes > 0; bytes--) number = number * 256 + key[at++]!;
			items.push(number);
		} else if (code === 0x05) {
			// Of locations, which are in the values as well.
			return items;
		} else {
			throw new Error(`A key of 2.1.3 has an item of unknown kind ${code}`);
		}
	}
	return items;
}
