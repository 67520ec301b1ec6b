import type { Execution } from "../engine/execution.ts";
import type { Receipt, Strand } from "../engine/strand.ts";
import type { Entry } from "../history/entry.ts";
import { decodeKey, entryRange, isInnerId, type Location, segmentId } from "../history/location.ts";
import { mayHoldSteps } from "../history/steps-within.ts";
import { mayBeChunked, readEntries } from "../history/stored-entries.ts";
import { keptMessages } from "../history/stored-message.ts";

/** Messages that a branch without steps can give back, and iterations of a loop that stay for that. */
export const RETURNED_MAX = 1_000;

/** A branch has received what it gives back if it is given up before its next step. */
export function remember(strand: Strand, entry: Entry<"message">, key: () => Uint8Array): void {
	const receipts = keptMessages(entry.data.messages).map((message) => ({ message, entry, key }));
	if (receipts.length > 0) strand.remember(receipts, RETURNED_MAX);
}

/** `unused` of the data of what has ended: where the messages are that go back if what is around it is given up. */
export function unusedPart(receipts: readonly Receipt[]): { readonly unused?: Uint8Array[] } {
	if (receipts.length === 0) return {};
	const keys = new Map(receipts.map(({ entry, key }) => [entry, key]));
	return { unused: [...keys.values()].map((key) => key()) };
}

export function isSameUnused(
	a: readonly Uint8Array[] = [],
	b: readonly Uint8Array[] = [],
): boolean {
	return a.length === b.length && a.every((key, at) => String(key) === String(b[at]));
}

/** What has ended, and does not run again, has received these: they are remembered as they were when it ran. */
export function recall(
	execution: Execution,
	strand: Strand,
	unused: readonly Uint8Array[] | undefined,
): Promise<void> | null {
	return unused === undefined ? null : recallAll(execution, strand, unused);
}

async function recallAll(
	execution: Execution,
	strand: Strand,
	keys: readonly Uint8Array[],
): Promise<void> {
	const values = await execution.read(execution.host.get(keys));
	for (const [at, key] of keys.entries()) {
		const value = values[at];
		if (!value) continue;
		const stored = mayBeChunked(value)
			? await execution.scan(entryRange(key))
			: ([[key, value]] as const);
		for (const { entry } of readEntries(stored)) {
			if (entry.is("message")) remember(strand, entry, () => key);
		}
	}
}

/** As {@link recall}, of the iterations of a loop that are over. */
export async function rememberIterations(
	execution: Execution,
	strand: Strand,
	loop: Location,
	{ unusedFrom, iteration }: Entry<"loop">["data"],
): Promise<void> {
	if (unusedFrom === undefined || unusedFrom > iteration) return;
	const depth = loop.depth + 1;
	const scanned = await execution.scan(loop.iterationsBelow(depth, unusedFrom, iteration + 1));
	const scopes = new Map<number, Map<string, Entry>>();
	for (const { key, entry } of readEntries(scanned)) {
		const [of, segment] = decodeKey(key).slice(-2);
		if (of?.kind !== "iteration") continue;
		const records = scopes.get(of.iteration) ?? new Map<string, Entry>();
		scopes.set(of.iteration, records.set(segmentId(segment!), entry));
	}
	for (const [at, records] of scopes) {
		const scope = loop.child({ kind: "iteration", iteration: at });
		await rememberUnused(execution, strand, scope, records);
	}
}

/** What the code of an iteration that is over has received and done no step with. */
async function rememberUnused(
	execution: Execution,
	strand: Strand,
	location: Location,
	records: ReadonlyMap<string, Entry>,
): Promise<void> {
	const inOrder = [...records]
		.filter(([id]) => !isInnerId(id))
		.sort(([, a], [, b]) => a.createdSequence - b.createdSequence);
	const latest = inOrder.findLastIndex(([, entry]) => mayHoldSteps(entry));
	if (latest >= 0) strand.keepReceived();
	for (const [name, entry] of inOrder.slice(Math.max(0, latest))) {
		if (entry.is("message") && entry.data.isCompletable === false) {
			remember(strand, entry, () => location.namedKey(name));
		} else if (entry.is("loop")) {
			const loop = location.child({ kind: "name", name });
			await rememberIterations(execution, strand, loop, entry.data);
		} else if (entry.is("join") || entry.is("race") || entry.is("try")) {
			await recall(execution, strand, entry.data.unused);
		}
	}
}
