// Actions that stream (ours; docs/streaming.md).
import { actor, setup } from "rivetkit";
import {
	type ActionResult,
	type ActorActionItems,
	type ActorActionStream,
	createClient,
} from "rivetkit/client";
import { expectTypeOf } from "vitest";
import { z } from "zod";

const streamer = actor({
	state: { n: 0 },
	actions: {
		async *tokens(c, prompt: string) {
			yield prompt.length + c.state.n;
			return "end" as const;
		},
		async *endless(): AsyncGenerator<{ id: number }, void> {
			yield { id: 1 };
		},
		sdk: async () => new ReadableStream<string>(),
		checked: {
			input: z.object({ n: z.string().transform(Number) }),
			async *handler(_c, { n }) {
				yield n;
			},
		},
		nested: {
			async *items() {
				yield true;
			},
		},
		plain: () => 1,
		untyped: (_c, value) => value,
		fails: (): never => {
			throw new Error();
		},
		list: async () => [1],
	},
});

const registry = setup({ use: { streamer } });
const handle = createClient<typeof registry>().streamer.getOrCreate([]);
const connection = handle.connect();

for (const subject of [handle, connection]) {
	expectTypeOf(subject.tokens("a")).toEqualTypeOf<ActorActionStream<number, "end">>();
	expectTypeOf(subject.endless()).toEqualTypeOf<ActorActionStream<{ id: number }, void>>();
	expectTypeOf(subject.sdk()).toExtend<AsyncIterable<string>>();
	expectTypeOf(subject.checked).parameter(0).toEqualTypeOf<{ n: string }>();
	for await (const n of subject.checked({ n: "1" })) expectTypeOf(n).toEqualTypeOf<number>();
	for await (const item of subject.nested.items()) expectTypeOf(item).toEqualTypeOf<boolean>();
	// @ts-expect-error the argument is a text
	subject.tokens(1);
	expectTypeOf(subject.plain()).toEqualTypeOf<Promise<number>>();
	expectTypeOf(subject.untyped("a")).resolves.toBeAny();
	expectTypeOf(subject.fails()).toEqualTypeOf<Promise<never>>();
	expectTypeOf(subject.list()).toEqualTypeOf<Promise<number[]>>();
	const call = { name: "tokens", args: ["a"], signal: new AbortController().signal } as const;
	expectTypeOf(subject.action<readonly ["a"], number>(call)).toEqualTypeOf<ActionResult<number>>();
	for await (const n of subject.action<readonly ["a"], number>(call))
		expectTypeOf(n).toEqualTypeOf<number>();
}

for await (const n of handle.tokens("a")) expectTypeOf(n).toEqualTypeOf<number>();
// It has no result, and says so.
expectTypeOf<Awaited<ReturnType<typeof handle.tokens>>>().toEqualTypeOf<never>();
const items = handle.tokens("a")[Symbol.asyncIterator]();
expectTypeOf(items).toEqualTypeOf<ActorActionItems<number, "end">>();
const last = await items.next();
if (last.done) expectTypeOf(last.value).toEqualTypeOf<"end">();
expectTypeOf(items.return()).toEqualTypeOf<Promise<IteratorResult<number, "end">>>();

const untyped = createClient().anything!.getOrCreate([]);
for await (const item of untyped.tokens("a")) expectTypeOf(item).toBeAny();
