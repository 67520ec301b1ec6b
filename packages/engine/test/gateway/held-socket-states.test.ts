import { describe, expect, test } from "vitest";
import { type HeldSocketState, nextHeldState } from "../../src/gateway/held-socket.ts";

type Event = Parameters<typeof nextHeldState>[1];

const EVENTS: readonly Event[] = [
	"taken",
	"hold",
	"attach",
	"ended",
	"destroyed",
	"clientClosed",
	"closed",
	"released",
];

/** Every cell of the table: what each event makes of each state; "·" leaves it as it is. */
const TABLE: Record<HeldSocketState, readonly string[]> = {
	//            taken       hold    attach  ended          destroyed clientClosed closed    released
	opening: ["attached", "held", "·", "·", "·", "closed", "closed", "·"],
	attached: ["·", "·", "·", "closed", "closed", "closed", "closed", "·"],
	held: ["·", "·", "·", "hibernating", "closed", "left", "closed", "·"],
	hibernating: ["·", "·", "held", "·", "closed", "left", "closed", "·"],
	left: ["·", "·", "·", "·", "closed", "·", "closed", "closed"],
	closed: ["·", "·", "·", "·", "·", "·", "·", "·"],
};

describe("the states of a held socket", () => {
	const cells = Object.entries(TABLE).flatMap(([state, row]) =>
		row.map((next, at) => [state, EVENTS[at]!, next === "·" ? state : next] as const),
	);

	test.each(cells)("%s, %s: %s", (state, event, next) => {
		expect(nextHeldState(state as HeldSocketState, event)).toBe(next);
	});
});
