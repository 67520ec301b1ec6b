import { actorIdOf, freesKey, type Write } from "./write-calls.ts";

/** Writes of a kind that go in one statement, and where each comes from. */
export interface Run {
	readonly kind: Write["kind"];
	readonly members: { readonly call: number; readonly at: number; readonly write: Write }[];
}

/** As few statements as the order of the calls allows (Q1 of `WriteQueue`). */
export function arrange(calls: readonly { readonly writes: readonly Write[] }[]): Run[] {
	const runs: Run[] = [];
	const lastOfActor = new Map<string, number>();
	const latestOfKind = new Map<Write["kind"], number>();
	let lastInsert = -1;
	let lastFreed = -1;
	for (const [call, { writes }] of calls.entries()) {
		for (const [at, write] of writes.entries()) {
			const actorId = actorIdOf(write);
			const after = Math.max(
				lastOfActor.get(actorId) ?? -1,
				write.kind === "insert" ? lastFreed : -1,
				freesKey(write) ? lastInsert : -1,
			);
			let index = latestOfKind.get(write.kind) ?? -1;
			if (index <= after) {
				index = runs.push({ kind: write.kind, members: [] }) - 1;
				latestOfKind.set(write.kind, index);
			}
			runs[index]!.members.push({ call, at, write });
			lastOfActor.set(actorId, index);
			if (write.kind === "insert") {
				lastInsert = Math.max(lastInsert, index);
			}
			if (freesKey(write)) {
				lastFreed = Math.max(lastFreed, index);
			}
		}
	}
	return runs;
}
