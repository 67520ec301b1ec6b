import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { awaken, isSame, rest } from "../../src/runtime/instance/resting-bytes.ts";

const bytes = fc.oneof(
	fc.uint8Array({ maxLength: 20 }),
	fc.uint8Array({ minLength: 250, maxLength: 260 }),
);

describe("resting bytes", () => {
	it("come back as they were, short or long", () => {
		fc.assert(
			fc.property(bytes, (original) => {
				expect(awaken(rest(original))).toEqual(original);
				expect(isSame(rest(original), original)).toBe(true);
			}),
		);
	});

	it("are the same as equal bytes only", () => {
		fc.assert(
			fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, place, change) => {
				const other = Uint8Array.from(original);
				if (other.length > 0) other[place % other.length]! ^= change;
				expect(isSame(rest(original), other)).toBe(other.length === 0);
				expect(isSame(rest(original), Uint8Array.of(...original, 0))).toBe(false);
			}),
		);
	});
});
