import { actor, event, setup } from "rivetkit";
import type { ActorActionStream, ActorConnStatus } from "rivetkit/client";
import { expectTypeOf } from "vitest";
import { createRivetKit } from "../src/index.ts";

const room = actor({
	createState: (_c, input: { title: string }) => ({ title: input.title }),
	createConnState: (_c, params: { user: string }) => ({ user: params.user }),
	events: { said: event<[user: string, text: string]>(), moved: event<{ x: number }>() },
	actions: { rename: (c, title: string) => (c.state.title = title), users: async () => ["ann"] },
});
const counter = actor({
	state: { count: 0 },
	actions: {
		add: (c, n: number) => (c.state.count += n),
		async *upTo(_c, n: number) {
			yield n;
			return "end" as const;
		},
	},
});
const registry = setup({ use: { room, counter } });

const { useActor } = createRivetKit<typeof registry>();

export function Component(): void {
	const actor = useActor({
		name: "room",
		key: ["a"],
		params: { user: "ann" },
		createWithInput: { title: "t" },
	});
	expectTypeOf(actor.connStatus).toEqualTypeOf<ActorConnStatus>();
	expectTypeOf(actor.error).toEqualTypeOf<Error | null>();
	expectTypeOf(actor.opts.name).toEqualTypeOf<"room">();
	// Suggested in editors; what else was passed before keeps compiling (contract: api 4.3).
	type Anything = NonNullable<unknown> | null | undefined;
	expectTypeOf(actor.opts.params).toEqualTypeOf<{ user: string } | Anything>();
	expectTypeOf(actor.opts.createWithInput).toEqualTypeOf<{ title: string } | Anything>();
	if (actor.connection && actor.handle) {
		expectTypeOf(actor.connection.rename("x")).toEqualTypeOf<Promise<string>>();
		expectTypeOf(actor.handle.users()).toEqualTypeOf<Promise<string[]>>();
		// @ts-expect-error a number is no title
		void actor.connection.rename(1);
		// @ts-expect-error not of this actor
		void actor.connection.add(1);
	}
	// @ts-expect-error it is null before the component has mounted
	void actor.connection.rename("x");

	actor.useEvent("said", (user, text) => {
		expectTypeOf(user).toEqualTypeOf<string>();
		expectTypeOf(text).toEqualTypeOf<string>();
	});
	actor.useEvent("moved", (position) => {
		expectTypeOf(position).toEqualTypeOf<{ x: number }>();
	});
	expectTypeOf(actor.useEvent("moved", () => {})).toEqualTypeOf<void>();
	actor.useEvent("undeclared", (anything: number) => void anything);

	// @ts-expect-error there is no such actor
	useActor({ name: "rooom", key: [] });
	expectTypeOf(useActor<"counter">)
		.parameter(0)
		.toHaveProperty("suspense");

	const { connection, handle } = useActor({ name: "counter", key: [] });
	expectTypeOf(connection!.upTo(3)).toEqualTypeOf<ActorActionStream<number, "end">>();
	expectTypeOf(handle!.upTo(3)).toEqualTypeOf<ActorActionStream<number, "end">>();
	// @ts-expect-error a number is awaited
	void handle!.upTo("3");
}
