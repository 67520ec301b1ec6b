// What an actor is declared to take, for consoles (ours; docs/inspector.md).
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";

/** Of a library that knows no JSON Schema. */
const mute: StandardSchemaV1<string> = {
	"~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as string }) },
};

it("tells names with JSON Schema where the schema's library has it, of an actor that sleeps, too", async () => {
	const subject = actor({
		actions: {
			plain: () => {},
			one: { input: z.object({ n: z.number() }), handler: (_c, { n }: { n: number }) => n },
			list: {
				input: [z.string(), mute],
				handler: (_c, a: string, b: string) => a + b,
			},
			// A function of a schema has no JSON form.
			odd: { input: z.custom<string>(), handler: (_c, _value: string) => {} },
		},
		queues: { jobs: queue({ message: z.object({ to: z.string() }) }), free: queue() },
		events: { news: event<number>() },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.embedded.host.stop(id, "sleep");
	const { body } = await inspect(runtime, id, "declarations");
	expect(body.actions).toEqual([
		{ name: "plain", isValidated: false, takesList: false },
		{
			name: "one",
			isValidated: true,
			takesList: false,
			schema: expect.objectContaining({
				type: "object",
				properties: { n: { type: "number" } },
				required: ["n"],
			}),
		},
		{
			name: "list",
			isValidated: true,
			takesList: true,
			schema: { type: "array", prefixItems: [expect.objectContaining({ type: "string" }), {}] },
		},
		expect.objectContaining({ name: "odd", isValidated: true }),
	]);
	expect(body.events).toEqual([{ name: "news", isValidated: false }]);
	expect(body.queues).toEqual([
		{
			name: "jobs",
			isValidated: true,
			schema: expect.objectContaining({ properties: { to: { type: "string" } } }),
		},
		{ name: "free", isValidated: false },
	]);
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});
