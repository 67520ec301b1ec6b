import { describe, expect, test } from "vitest";
import { completeBody } from "../src/load/http-connection.ts";
import { clientFrame, FrameReader, opcodes } from "../src/load/websocket-frames.ts";

describe("the HTTP client", () => {
	const chunked =
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n";
	const counted = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";

	test.each([
		[chunked, "abcdef"],
		[counted, "abc"],
	])("knows when a response is complete: %j", (response, body) => {
		expect(completeBody(response)).toBe(body);
		for (let size = 0; size < response.length; size += 1) {
			expect(completeBody(response.slice(0, size))).toBeUndefined();
		}
	});
});

describe("the WebSocket client", () => {
	test("cuts a stream into messages wherever the network cut it", () => {
		const sizes = [0, 5, 125, 126, 300];
		const stream = Buffer.concat(
			sizes.map((size) => {
				const head =
					size < 126 ? Buffer.from([0x82, size]) : Buffer.from([0x82, 126, size >> 8, size & 0xff]);
				return Buffer.concat([head, Buffer.alloc(size, size & 0xff)]);
			}),
		);
		for (const step of [1, 2, 3, 7, 127, stream.length]) {
			const seen: [number, number, boolean][] = [];
			const reader = new FrameReader((opcode, payload) => {
				const isWhole = payload.every((byte) => byte === (payload.length & 0xff));
				seen.push([opcode, payload.length, isWhole]);
			});
			for (let at = 0; at < stream.length; at += step) reader.push(stream.subarray(at, at + step));
			expect(seen).toEqual(sizes.map((size) => [opcodes.binary, size, true]));
		}
	});

	test("masks its frames with zeros, as a client may", () => {
		expect(clientFrame(opcodes.text, Buffer.from("hi")).toString("hex")).toBe("8182000000006869");
		const long = clientFrame(opcodes.binary, Buffer.alloc(200, 7));
		expect(long.subarray(0, 8).toString("hex")).toBe("82fe00c800000000");
		expect(long.length).toBe(208);
	});
});
