import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { StateJournal } from "../../src/runtime/instance/state-journal.ts";
import { track } from "../state/track.ts";

const MEBIBYTE = 1024 * 1024;

/** A tracked state, and what takes changes of it back. */
function journaled<T>(raw: T, authorBytesMax?: number) {
	const tracked = track<T>(raw, { beforeWrite: () => journal.beforeWrite() });
	const journal = new StateJournal(tracked, authorBytesMax);
	return { tracked, journal };
}

function sample() {
	return {
		own: { first: 0, second: 0 } as Record<string, number>,
		list: [] as string[],
		shared: "initial",
		replaced: { a: 1 } as Record<string, number>,
		same: 0,
	};
}

it.each([
	["all", Number.POSITIVE_INFINITY],
	["two", 0],
])(
	"when a commit has failed, a call takes back what it had committed, and nothing else comes back, with %s kept",
	(_how, max) => {
		const { tracked, journal } = journaled({ lost: 0, others: 0, committed: 0, open: 0 }, max);
		const [call, other] = [journal.begin(), journal.begin()];
		call.run(() => tracked.state.committed++);
		other.run(() => tracked.state.others++);
		const committed = structuredClone(tracked.raw);
		other.run(() => tracked.state.lost++);
		call.run(() => tracked.state.open++);
		journal.rollsBack();
		tracked.reset(committed);
		call.undo();
		expect(tracked.raw).toEqual({ lost: 0, others: 1, committed: 0, open: 0 });
	},
);

describe("the images of calls that change the state in turns", () => {
	it("are bounded", () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		const state = { first: 0, second: 0, ballast: "x".repeat(MEBIBYTE) };
		const { tracked, journal } = journaled(state);
		const [first, second] = [journal.begin(), journal.begin()];
		const bytesBefore = process.memoryUsage().arrayBuffers;
		for (let count = 0; count < 50; count++) {
			first.run(() => tracked.state.first++);
			second.run(() => tracked.state.second++);
		}
		collect();
		expect(process.memoryUsage().arrayBuffers - bytesBefore).toBeLessThan(32 * MEBIBYTE);
		first.undo();
		expect([tracked.state.first, tracked.state.second]).toEqual([0, 50]);
		second.undo();
		expect(tracked.state.second).toBe(0);
	});

	it.each([
		["all", Number.POSITIVE_INFINITY],
		["two", 0],
	])(
		"take back what one of them changed, and leave alone what the other has, with %s kept",
		(_how, max) => {
			const { tracked, journal } = journaled(sample(), max);
			const { state } = tracked;
			const [first, second] = [journal.begin(), journal.begin()];
			for (let count = 1; count <= 5; count++) {
				first.run(() => {
					state.own.first = count;
					state.own[`added ${count}`] = count;
					delete state.own[`added ${count - 2}`];
					state.list.push(`${count}`);
					if (count === 2) state.shared = "first";
					if (count === 3) state.replaced = { b: 1 };
					if (count === 4) state.replaced.b = 2;
				});
				second.run(() => {
					state.own.second = count;
					if (count === 3) state.shared = "second";
				});
			}
			first.undo();
			expect(tracked.raw).toEqual({ ...sample(), own: { first: 0, second: 5 }, shared: "second" });
			second.undo();
			expect(tracked.raw).toEqual({ ...sample(), shared: "first" });
		},
	);

	it.each([
		["all", Number.POSITIVE_INFINITY],
		["two", 0],
	])("take back what a call and its c.atomic changed in turns, with %s kept", (_how, max) => {
		const { tracked, journal } = journaled({ both: 0, other: 0 }, max);
		const { state } = tracked;
		const [call, other] = [journal.begin(), journal.begin()];
		const scope = { isRunning: false };
		const change = (isInside: boolean): void => {
			scope.isRunning = isInside;
			call.run(() => state.both++);
			scope.isRunning = false;
		};
		change(false);
		const section = call.run(() => journal.beginAtomic(scope));
		for (const isInside of [true, false, true, true, false]) change(isInside);
		section.release();
		for (let count = 0; count < 3; count++) {
			other.run(() => state.other++);
			change(false);
		}
		call.undo();
		expect(tracked.raw).toEqual({ both: 0, other: 3 });
	});
});
