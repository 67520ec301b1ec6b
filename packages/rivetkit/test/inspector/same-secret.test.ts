// Tokens are compared in constant time (contract: protocol 7.1).
import { afterEach, expect, it, vi } from "vitest";
import { InspectorAccess } from "../../src/runtime/inspector/access.ts";
import { recordingLogger } from "../support/test-runtime.ts";

const compared = vi.hoisted(() => vi.fn());

vi.mock(import("node:crypto"), async (original) => {
	const crypto = await original();
	return {
		...crypto,
		timingSafeEqual: (a: NodeJS.ArrayBufferView, b: NodeJS.ArrayBufferView) => {
			compared(a.byteLength, b.byteLength);
			return crypto.timingSafeEqual(a, b);
		},
	};
});

afterEach(() => compared.mockClear());

const OWN = "the token of the actor";

it.each([
	["s3cret", 1],
	[OWN, 2],
	["s3crex", 2],
	["x3cret", 2],
	["", 2],
	["s3cret, and far longer than the one that is asked for", 2],
])(
	"%j is compared with each token as bytes of one length, whatever is in them",
	async (given, times) => {
		const config = { enabled: true, token: () => "s3cret", isOpen: () => false };
		const access = new InspectorAccess(config, recordingLogger([]));
		const check = access.checkSocket(given, async () => OWN);
		if (given === "s3cret" || given === OWN) await check;
		else await expect(check).rejects.toMatchObject({ group: "inspector", code: "unauthorized" });
		expect(compared.mock.calls).toEqual(Array.from({ length: times }, () => [32, 32]));
	},
);
