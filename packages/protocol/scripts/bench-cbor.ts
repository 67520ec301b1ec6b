/**
 * Compares our CBOR codec with cbor-x (set up for the profile of contract 1.7) on typical payloads.
 * Prints operations per second and the ratio; higher than 1 means ours is faster.
 *
 *     node --conditions=@rivetkit/source scripts/bench-cbor.ts
 */
import { Encoder } from "cbor-x";
import { decodeCbor } from "../src/cbor/decode.ts";
import { encodeCbor, encodeCborTransient } from "../src/cbor/encode.ts";
import { copyToSend } from "../src/slab.ts";

const MEASURE_MS = 300;
const ROUNDS = 5;

const reference = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: true });

const message = {
	id: "0f0c7d3e-7f2e-4b6c-9b1d-0c5f6b0e9a11",
	author: "Ada",
	text: "See you at eight, bring the blue folder.",
	sentAt: 1_763_900_000_123,
	read: false,
	reactions: [{ emoji: "thumbsup", by: ["Ada", "Max"] }],
};
const samples: Record<string, unknown> = {
	"two numbers": [2, 40],
	"one short text": ["increment"],
	"chat message": message,
	"50 chat messages": Array.from({ length: 50 }, (_, i) => ({ ...message, author: `user-${i}` })),
	"1000 floats": Array.from({ length: 1000 }, (_, i) => i / 7),
	"text of 10 kB": "lorem ipsum dolor ".repeat(570),
	"non-ASCII texts": Array.from({ length: 50 }, (_, i) => `Grüße aus Köln ${i} — ñandú 東京`),
	"64 kB of bytes": new Uint8Array(65_536).fill(7),
	"map, set, date, bigint": { m: new Map([["a", 1]]), s: new Set([1, 2]), d: new Date(), n: 7n },
};

function perSecond(run: () => unknown): number {
	let best = 0;
	for (let round = 0; round < ROUNDS; round++) {
		let count = 0;
		const start = performance.now();
		let now = start;
		while (now - start < MEASURE_MS) {
			for (let i = 0; i < 50; i++) run();
			count += 50;
			now = performance.now();
		}
		best = Math.max(best, (count * 1000) / (now - start));
	}
	return best;
}

for (const [name, value] of Object.entries(samples)) {
	const ours = encodeCbor(value);
	const theirs = reference.encode(value);
	const send = () => {
		const bytes = encodeCborTransient(value);
		return copyToSend(bytes, bytes.length);
	};
	const rows = {
		"encode to send": [perSecond(send), perSecond(() => reference.encode(value))],
		"encode to keep": [
			perSecond(() => encodeCbor(value)),
			perSecond(() => reference.encode(value)),
		],
		decode: [perSecond(() => decodeCbor(ours)), perSecond(() => reference.decode(theirs))],
	};
	for (const [operation, [own = 0, other = 0]] of Object.entries(rows)) {
		const ratio = (own / other).toFixed(2);
		console.log(
			`${name}, ${operation}: ${Math.round(own)}/s, cbor-x ${Math.round(other)}/s, x${ratio}`,
		);
	}
}
