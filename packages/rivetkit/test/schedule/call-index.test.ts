import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallIndex } from "../../src/runtime/schedule/call-index.ts";
import { type PendingCall, pendingCall } from "../../src/runtime/schedule/pending-call.ts";
import { NO_RETRY } from "../../src/runtime/schedule/retry.ts";

const oneShot = (sequence: number, dueAt: number): PendingCall => {
	const args = new Uint8Array();
	const id = `id-${sequence}`;
	const source = { kind: "at", id, action: "a", args, retry: NO_RETRY, fireInfo: false } as const;
	return pendingCall(sequence, source, dueAt);
};
const run = (sequence: number, dueAt: number): PendingCall =>
	pendingCall(sequence, { kind: "run", job: 1, index: sequence }, dueAt);

/** A table, what is being made of it, and how often the index has looked at a call. */
class Table {
	readonly rows = new Map<number, PendingCall>();
	readonly claimed = new Set<number>();
	readonly waits = new Map<number, number>();
	looks = 0;
	readonly index = new CallIndex({
		current: (sequence) => this.rows.get(sequence),
		dueTs: (call) => {
			this.looks++;
			return this.dueTs(call);
		},
		isLeftOut: ({ sequence }) => this.claimed.has(sequence),
	});

	dueTs({ sequence, dueAt }: PendingCall): number {
		return Math.max(dueAt, this.waits.get(sequence) ?? 0);
	}

	put(sequence: number, after: PendingCall | undefined): void {
		const before = this.rows.get(sequence);
		if (after) this.rows.set(sequence, after);
		else this.rows.delete(sequence);
		if (before || after) this.index.changed(before, after);
	}

	release(sequence: number): void {
		this.claimed.delete(sequence);
		const call = this.rows.get(sequence);
		if (call) this.index.offer(call);
	}

	/** One-shot calls that may be made, by brute force. */
	get free(): PendingCall[] {
		return [...this.rows.values()].filter(
			({ source, sequence }) => source.kind === "at" && !this.claimed.has(sequence),
		);
	}
}

const sequence = fc.nat(12);
const ts = fc.nat(20);
const step = fc.oneof(
	fc.record({ do: fc.constant("put" as const), sequence, ts, isRun: fc.boolean() }),
	fc.record({ do: fc.constantFrom("drop" as const, "release"), sequence }),
	fc.record({ do: fc.constantFrom("wait" as const, "take"), sequence, ts }),
);

describe("the index of pending calls", () => {
	it("finds what a look at every call finds, whatever becomes of them (model)", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				const table = new Table();
				for (const step of steps) {
					switch (step.do) {
						case "put": {
							const known = table.rows.get(step.sequence);
							const isRun = known ? known.source.kind === "run" : step.isRun;
							table.put(step.sequence, (isRun ? run : oneShot)(step.sequence, step.ts));
							break;
						}
						case "drop":
							table.put(step.sequence, undefined);
							break;
						case "release":
							table.release(step.sequence);
							break;
						case "wait":
							// A call is only ever put off.
							table.waits.set(
								step.sequence,
								Math.max(step.ts, table.waits.get(step.sequence) ?? 0),
							);
							break;
						case "take": {
							const due = table.free.filter((call) => table.dueTs(call) <= step.ts);
							const taken = table.index.takeDue(step.ts);
							expect(new Set(taken)).toEqual(new Set(due));
							expect(taken).toHaveLength(due.length);
							for (const call of taken) table.claimed.add(call.sequence);
							break;
						}
						default:
							step satisfies never;
					}
					const times = table.free.map((call) => table.dueTs(call));
					expect(table.index.nextTs).toBe(Math.min(Number.POSITIVE_INFINITY, ...times));
					const rows = [...table.rows.values()];
					const shots = rows.filter(({ source }) => source.kind === "at");
					expect(table.index.oneShotCount).toBe(shots.length);
					expect(new Set(table.index.runs)).toEqual(
						new Set(rows.filter(({ source }) => source.kind === "run")),
					);
					for (const { sequence } of shots) {
						expect(table.index.sequenceOf(`id-${sequence}`)).toBe(sequence);
					}
				}
			}),
			{ numRuns: 500 },
		);
	});

	it("looks at a few calls for each one that is added, made or cancelled, however many there are", () => {
		const table = new Table();
		const count = 10_000;
		for (let index = 0; index < count; index++) {
			table.put(index, oneShot(index, 1_000 + ((index * 7_919) % count)));
			expect(table.index.nextTs).toBeGreaterThan(0);
		}
		expect(table.looks).toBeLessThan(4 * count);
		table.looks = 0;
		for (let made = 0; made < count; made++) {
			const [call] = table.index.takeDue(table.index.nextTs);
			table.claimed.add(call!.sequence);
			table.put(call!.sequence, undefined);
			table.release(call!.sequence);
		}
		expect(table.index.nextTs).toBe(Number.POSITIVE_INFINITY);
		expect(table.looks).toBeLessThan(6 * count);
	});
});
