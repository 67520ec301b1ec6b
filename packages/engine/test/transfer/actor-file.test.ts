import { isActorError } from "@rivetkit/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { compareBytes } from "../../src/store/order.ts";
import {
	type ActorFileHeader,
	ActorFileWriter,
	type Entry,
	readActorFile,
} from "../../src/transfer/actor-file.ts";

const HEADER: ActorFileHeader = {
	layout: 1,
	version: "0.0.0",
	exportedTs: 5,
	actorId: "id",
	name: "counter",
	key: ["a", "b/c"],
	input: Uint8Array.of(1),
	crashPolicy: "sleep",
	createTs: 1,
	startTs: null,
	alarmTs: 9,
};

function fileOf(entries: readonly Entry[], header: object = HEADER, pageOf = 2): Uint8Array {
	const writer = new ActorFileWriter();
	const parts = [writer.begin(header as ActorFileHeader)];
	for (let at = 0; at < entries.length; at += pageOf) {
		parts.push(writer.entries(entries.slice(at, at + pageOf)));
	}
	return Buffer.concat([...parts, writer.end()]);
}

/** What reading is refused with. */
function refusal(bytes: Uint8Array): string {
	try {
		readActorFile(bytes, 1);
		return "read";
	} catch (error) {
		return isActorError(error) ? `${error.code}: ${error.message}` : `bug: ${error}`;
	}
}

const entries = fc
	.uniqueArray(fc.tuple(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 40 })), {
		selector: ([key]) => Buffer.from(key).toString("hex"),
		maxLength: 7,
	})
	.map((list) => list.sort(([a], [b]) => compareBytes(a, b)));

it("what was written is read, however it was paged", () => {
	fc.assert(
		fc.property(entries, fc.integer({ min: 1, max: 8 }), (list, pageOf) => {
			const { header, entries: read } = readActorFile(fileOf(list, HEADER, pageOf), 1);
			expect({ ...header, input: [...header.input!] }).toEqual({ ...HEADER, input: [1] });
			expect(read.map(([key, value]) => [[...key], [...value]])).toEqual(
				list.map(([key, value]) => [[...key], [...value]]),
			);
		}),
	);
});

it("a file that is cut off anywhere, or has one bit changed anywhere, is refused in words", () => {
	const whole = fileOf([
		[Uint8Array.of(1), Uint8Array.of(2, 3)],
		[Uint8Array.of(4), new Uint8Array(0)],
	]);
	expect(refusal(whole)).toBe("read");
	for (let length = 0; length < whole.byteLength; length++) {
		expect(refusal(whole.subarray(0, length))).toMatch(
			/^invalid_file: The file cannot be imported: /,
		);
	}
	for (let bit = 0; bit < whole.byteLength * 8; bit++) {
		const damaged = Uint8Array.from(whole);
		damaged[bit >> 3]! ^= 1 << (bit & 7);
		expect(refusal(damaged)).toMatch(/^(invalid|newer)_file: /);
	}
});

it.each([
	["nothing", new Uint8Array(0), "it is empty"],
	["another kind of file", Buffer.from("SQLite format 3\0"), "it is no exported actor"],
	[
		"one whose line ends were changed",
		Buffer.from("\x89RVKA\n\x1a", "latin1"),
		"it is no exported actor",
	],
	[
		"one with something behind it",
		Buffer.concat([fileOf([]), Buffer.of(0)]),
		"something comes after its end",
	],
	[
		"entries out of order",
		fileOf([
			[Uint8Array.of(2), Uint8Array.of()],
			[Uint8Array.of(1), Uint8Array.of()],
		]),
		"its entries are not in order",
	],
	["a header without a name", fileOf([], { ...HEADER, name: undefined }), "no usable 'name'"],
	["a header with a broken time", fileOf([], { ...HEADER, alarmTs: 0.5 }), "no usable 'alarmTs'"],
])("%s is refused", (_what, bytes, message) => {
	expect(refusal(bytes)).toContain(`invalid_file: The file cannot be imported: `);
	expect(refusal(bytes)).toContain(message);
});

it("a newer format and a newer layout are told from damage", () => {
	const newer = Uint8Array.from(fileOf([]));
	newer[8] = 2;
	expect(refusal(newer)).toBe(
		"newer_file: The file was exported by a newer RivetKit: its format is 2, this server knows 1. Import it with that version",
	);
	expect(refusal(fileOf([], { ...HEADER, layout: 2 }))).toContain("its layout is 2");
});
