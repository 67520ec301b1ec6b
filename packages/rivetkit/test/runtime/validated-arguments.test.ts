import { describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const connect = (runtime: TestRuntime, actorId: string) =>
	WireSocket.connect(`${runtime.url}/gateway/${actorId}/connect`);

describe("validated arguments", () => {
	const subject = actor({
		actions: {
			one: {
				input: z.object({ n: z.coerce.number() }),
				handler: (_c, input: { n: number }) => input.n + 1,
			},
			pair: {
				input: [z.string(), z.number().min(3)] as const,
				handler: (_c, text: string, n: number) => text.repeat(n),
			},
			later: {
				input: z.string().refine(async (text) => text !== "bad"),
				handler: (_c, text: string) => text.length,
			},
			broken: {
				input: {
					"~standard": {
						version: 1 as const,
						vendor: "test",
						validate: () => {
							throw new Error("in the validator");
						},
					},
				},
				handler: () => 1,
			},
		},
	});

	it("reach the handler as the schema returns them", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "one", [{ n: "41" }])).output).toBe(42);
		expect((await wireAction(runtime, id, "pair", ["x", 3])).output).toBe("xxx");
		expect((await wireAction(runtime, id, "later", ["good"])).output).toBe(4);
	});

	it.each([
		["one", [{ n: "x" }], ["n"]],
		["one", [], []],
		["pair", ["x", 2], [1]],
		["pair", ["x"], [1]],
		["later", ["bad"], []],
	] as const)(
		"that fail in %s(%j) give action.invalid_request with the path",
		async (name, args, path) => {
			await using runtime = await TestRuntime.start({ subject });
			const id = await runtime.actorId("subject");
			const answer = await wireAction(runtime, id, name, [...args]);
			expect([answer.status, codeOf(answer)]).toEqual([400, "action.invalid_request"]);
			expect(answer.error?.message).toContain(`'${name}'`);
			expect(answer.error?.metadata).toMatchObject({
				action: name,
				issues: [{ message: expect.any(String), path: [...path] }],
			});
			await using socket = await connect(runtime, id);
			expect(await soon(socket.call(0, name, ...args))).toMatchObject({
				tag: "Error",
				group: "action",
				code: "invalid_request",
			});
		},
	);

	it("whose validator throws are an internal error", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(codeOf(await wireAction(runtime, id, "broken"))).toBe("rivetkit.internal_error");
	});
});
