import { describe, expect, test } from "vitest";
import { encodings, wires } from "../src/wire.ts";

describe.each(encodings)("the client protocol in %s, as the benchmarks speak it", (encoding) => {
	const wire = wires[encoding];

	test("a baseline reads the actions that the load generator writes", () => {
		const written = wire.action(2_097_152, "announce", [10, "x".repeat(100)]);
		expect(wire.readRequest(written)).toEqual({
			tag: "action",
			id: 2_097_152,
			name: "announce",
			args: [10, "x".repeat(100)],
		});
		for (const amount of [0, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295]) {
			expect(wire.readRequest(wire.action(1, "increment", [amount]))).toMatchObject({
				args: [amount],
			});
		}
	});

	test("a baseline reads the subscriptions that the load generator writes", () => {
		expect(wire.readRequest(wire.subscribe("news"))).toEqual({ tag: "subscribe", event: "news" });
	});

	test("the load generator tells answers from everything else", () => {
		expect(wire.readReply(wire.response(2_097_152, 4_294_967_295))).toBe(2_097_152);
		expect(wire.readReply(wire.response(0, "text"))).toBe(0);
		expect(wire.readReply(wire.init("actor", "connection"))).toBeUndefined();
		expect(wire.readReply(wire.event("news", ["text"]))).toBeUndefined();
	});
});

test("bare bytes are those of the protocol", () => {
	const { bare } = wires;
	expect(bare.action(7, "echo", [2, 3]).toString("hex")).toBe("03000007046563686f03820203");
	expect(bare.subscribe("tick").toString("hex")).toBe("0300010474" + "69636b01");
	expect(bare.event("tick", ["hi"]).toString("hex")).toBe("0300030474" + "69636b0481626869");
	expect(bare.response(300, 5).toString("hex")).toBe("030002ac020105");
});

test("an error frame ends the benchmark", () => {
	const error = Buffer.from("0300010475736572017802" + "6e6f000105", "hex");
	expect(() => wires.bare.readReply(error)).toThrow(/the server answered/);
	const text = '{"body":{"tag":"Error","val":{"group":"user","code":"x"}}}';
	expect(() => wires.json.readReply(Buffer.from(text))).toThrow(text);
});
