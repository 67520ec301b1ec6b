import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	decodeStreamFrame,
	ENCODINGS,
	EncodeError,
	encodeStreamFrame,
	type StreamFrame,
	streamFrameEnd,
} from "../src/index.ts";
import { cborValue, jsonValue } from "./support/arbitraries.ts";
import { returnsOrIsMalformed } from "./support/malformed.ts";
import { expectSame } from "./support/same.ts";

const fields = ({ value, done, error }: StreamFrame) => [value, done, error];

describe.each(ENCODINGS)("frames of streams, %s", (encoding) => {
	const value = encoding === "json" ? jsonValue : cborValue;
	const error = { group: "g", code: "c", message: "m", metadata: { why: 1 } };
	const frame: fc.Arbitrary<StreamFrame> = fc.oneof(
		fc.record({ value }),
		fc.record({ done: fc.constant(true), value }),
		fc.constant({ error }),
	);

	it("come back one by one, wherever the bytes are cut", () => {
		fc.assert(
			fc.property(fc.array(frame, { maxLength: 5 }), fc.nat(), (frames, cut) => {
				const parts = frames.map((one) => encodeStreamFrame(encoding, one));
				const all = Uint8Array.from(parts.flatMap((part) => [...part]));
				const at = cut % (all.length + 1);
				const decoded: StreamFrame[] = [];
				// A view that does not begin where its buffer does.
				let bytes = Uint8Array.of(7, ...all.subarray(0, at)).subarray(1);
				for (const more of [all.subarray(at), new Uint8Array()]) {
					let end = streamFrameEnd(encoding, bytes);
					while (end > 0) {
						decoded.push(decodeStreamFrame(encoding, bytes.subarray(0, end)));
						bytes = bytes.subarray(end);
						end = streamFrameEnd(encoding, bytes);
					}
					bytes = Uint8Array.of(...bytes, ...more);
				}
				expect(bytes).toHaveLength(0);
				expectSame(decoded.map(fields), frames.map(fields));
			}),
		);
	});

	it("of anything else are malformed", () => {
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
				const end = streamFrameEnd(encoding, bytes);
				if (end > 0)
					returnsOrIsMalformed(() => decodeStreamFrame(encoding, bytes.subarray(0, end)));
			}),
		);
	});

	it("refuse what cannot be encoded", () => {
		expect(() => encodeStreamFrame(encoding, { value: () => {} })).toThrow(EncodeError);
	});
});
