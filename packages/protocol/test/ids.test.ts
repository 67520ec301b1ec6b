import fc from "fast-check";
import { expect, it } from "vitest";
import { formatActorId, newActorId, parseActorId, systemRandom } from "../src/index.ts";

const vectors = [
	["0".repeat(32), 1, "tlf0xcg1buacno4zofgpr7isbeal00"],
	["00112233445566778899aabbccddeeff", 1, "5jxlv5boumuljx2d2nvyat0o2edl00"],
	["00112233445566778899aabbccddeeff", 258, "d9rowwol6nxe1tnsd36w48kc6sq610"],
] as const;

it.each(vectors)("%s in datacenter %d is %s (engine 1)", (uuid, datacenterLabel, text) => {
	expect(formatActorId({ uuid, datacenterLabel })).toBe(text);
	expect(parseActorId(text)).toEqual({ uuid, datacenterLabel });
	expect(parseActorId(text.toUpperCase())).toEqual({ uuid, datacenterLabel });
});

it("any id comes back from its text of 30 digits", () => {
	const parts = fc.record({
		uuid: fc
			.uint8Array({ minLength: 16, maxLength: 16 })
			.map((b) => Buffer.from(b).toString("hex")),
		datacenterLabel: fc.nat({ max: 65_535 }),
	});
	fc.assert(
		fc.property(parts, (id) => {
			const text = formatActorId(id);
			expect(text).toMatch(/^[0-9a-z]{30}$/);
			expect(parseActorId(text)).toEqual({ ...id });
		}),
	);
});

it("new ones differ and carry the label", () => {
	const random = systemRandom();
	const ids = Array.from({ length: 1000 }, () => newActorId(random, 7));
	expect(new Set(ids).size).toBe(1000);
	expect(parseActorId(ids[0] ?? "")?.datacenterLabel).toBe(7);
	expect(parseActorId(newActorId(random))?.datacenterLabel).toBe(1);
});

it("comes from the given randomness alone", () => {
	const random = { ...systemRandom(), uuid: () => "00112233-4455-6677-8899-aabbccddeeff" };
	expect(newActorId(random)).toBe("5jxlv5boumuljx2d2nvyat0o2edl00");
});

it.each([
	["", "too short"],
	["abc", "too short"],
	["tlf0xcg1buacno4zofgpr7isbeal0", "29 digits"],
	["tlf0xcg1buacno4zofgpr7isbeal000", "31 digits"],
	["tlf0xcg1buacno4zofgpr7isbea-00", "a character that is no digit"],
	["0".repeat(30), "version 0"],
	["z".repeat(30), "overflow"],
	["ß".repeat(30), "other letters"],
])("%s is not an id: %s", (text) => {
	expect(parseActorId(text)).toBeNull();
});

it("labels beyond 16 bits are refused", () => {
	const uuid = "0".repeat(32);
	for (const datacenterLabel of [65_536, -1, 1.5]) {
		expect(() => formatActorId({ uuid, datacenterLabel })).toThrow(RangeError);
	}
});
