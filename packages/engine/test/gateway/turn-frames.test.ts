import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TurnFrames } from "../../src/gateway/turn-frames.ts";
import { frameMessage } from "../../src/gateway/websocket-frame.ts";

/** Around every length at which a frame's head or the way it is kept changes. */
const size = fc.oneof(
	{ weight: 6, arbitrary: fc.nat(300) },
	fc.constantFrom(0, 125, 126, 127, 4090, 4092, 4093, 4096, 65_535, 65_536, 70_000),
);
const message = fc.oneof(
	fc.tuple(size, fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
	size.map((length) => "é𝄞a".repeat(length).slice(0, length)),
);
const step = fc.oneof(
	{
		weight: 8,
		arbitrary: fc.record({ kind: fc.constantFrom("message", "frame"), message }),
	},
	fc.constant({ kind: "take" as const, message: "" }),
);

describe("the frames of a turn", () => {
	it("are taken byte for byte in the order they were added", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				const frames = new TurnFrames();
				const expected: Buffer[] = [];
				const check = () => {
					const wanted = Buffer.concat(expected.splice(0));
					expect(frames.byteLength).toBe(wanted.length);
					expect(Buffer.concat(frames.take()).equals(wanted)).toBe(true);
					expect(frames.byteLength).toBe(0);
				};
				for (const { kind, message } of steps) {
					if (kind === "take") {
						check();
						continue;
					}
					expected.push(frameMessage(message));
					if (kind === "frame") frames.addFrame(frameMessage(message));
					else frames.add(message);
				}
				check();
			}),
			{ numRuns: 300 },
		);
	});

	it("share one buffer when they are small, and a large one is not copied", () => {
		const frames = new TurnFrames();
		for (let index = 0; index < 1000; index++) frames.add(`message ${index}`);
		expect(frames.take()).toHaveLength(1);
		const large = frameMessage(new Uint8Array(100_000));
		frames.add("before");
		frames.addFrame(large);
		frames.add("behind");
		expect(frames.take()[1]).toBe(large);
	});

	it("are a copy: bytes may change once they are added", () => {
		const frames = new TurnFrames();
		const bytes = Uint8Array.of(1, 2, 3);
		for (let index = 0; index < 3; index++) {
			frames.add(bytes);
			bytes.fill(index + 7);
		}
		expect([...Buffer.concat(frames.take())].filter((_, at) => at % 5 >= 2)).toEqual([
			1, 2, 3, 7, 7, 7, 8, 8, 8,
		]);
	});
});
