import type { Execution } from "../engine/execution.ts";
import type { Strand } from "../engine/strand.ts";
import type { Entry } from "../history/entry.ts";
import { decodeKey, isInnerId, type Location, segmentId } from "../history/location.ts";
import { mayHoldSteps } from "../history/steps-within.ts";
import { readEntries } from "../history/stored-entries.ts";
import { keptMessages } from "../history/stored-message.ts";

/** Messages that a branch without steps can give back, and iterations of a loop that stay for that. */
export const RETURNED_MAX = 1_000;

/** A branch has received what it gives back if it is given up before its next step. */
export function remember(
	strand: Strand,
	entry: Entry<"message">,
	location: Location,
	name: string,
): void {
	const receipts = keptMessages(entry.data.messages).map((message) => ({
		message,
		entry,
		location,
		name,
	}));
	if (receipts.length > 0) strand.remember(receipts, RETURNED_MAX);
}

/**
 * What code that does not run again has received in a scope and done no step with, as it was remembered when it ran: of
 * a branch whose end is recorded, and not yet what became of it, or of an iteration that is over.
 */
export function rememberUnused(
	execution: Execution,
	strand: Strand,
	location: Location,
	records: ReadonlyMap<string, Entry>,
): Promise<void> | null {
	let lastStep = 0;
	for (const entry of records.values()) {
		if (mayHoldSteps(entry)) lastStep = Math.max(lastStep, entry.completedSequence);
	}
	if (lastStep > 0) strand.keepReceived();
	let reading: Promise<void> | null = null;
	for (const [name, entry] of records) {
		if (isInnerId(name) || entry.completedSequence < lastStep) continue;
		if (entry.is("message") && entry.data.isCompletable === false) {
			remember(strand, entry, location, name);
		}
		if (!entry.is("loop") || entry.data.unusedFrom === undefined) continue;
		const loop = location.child({ kind: "name", name });
		const read = () => rememberIterations(execution, strand, loop, entry.data);
		reading = reading === null ? read() : reading.then(read);
	}
	return reading;
}

/** As {@link rememberUnused}, of the iterations of a loop that are over. */
export async function rememberIterations(
	execution: Execution,
	strand: Strand,
	loop: Location,
	{ unusedFrom, iteration }: Entry<"loop">["data"],
): Promise<void> {
	const depth = loop.depth + 1;
	const scanned = await execution.scan(loop.iterationsBelow(depth, unusedFrom!, iteration + 1));
	const scopes = new Map<number, Map<string, Entry>>();
	for (const { key, entry } of readEntries(scanned)) {
		const [of, segment] = decodeKey(key).slice(-2);
		if (of?.kind !== "iteration") continue;
		const records = scopes.get(of.iteration) ?? new Map<string, Entry>();
		scopes.set(of.iteration, records.set(segmentId(segment!), entry));
	}
	for (const [at, records] of scopes) {
		const scope = loop.child({ kind: "iteration", iteration: at });
		const reading = rememberUnused(execution, strand, scope, records);
		if (reading) await reading;
	}
}
