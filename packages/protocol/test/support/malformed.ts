import { expect } from "vitest";
import { RivetError } from "../../src/index.ts";

/** Runs a decoder on input that may be anything; fails unless it returns or throws what it may. */
export function returnsOrIsMalformed(decode: () => unknown): "decoded" | "malformed" {
	try {
		decode();
		return "decoded";
	} catch (error) {
		expectMalformed(error);
		return "malformed";
	}
}

function expectMalformed(error: unknown): void {
	expect(error).toBeInstanceOf(RivetError);
	expect(error).toMatchObject({
		group: "message",
		code: "malformed",
		public: true,
		statusCode: 400,
		message: expect.stringMatching(/^Malformed message: ./),
	});
}

export function isMalformed(decode: () => unknown): void {
	let thrown: unknown;
	try {
		decode();
	} catch (error) {
		thrown = error;
	}
	expectMalformed(thrown);
}
