import type { EventPayload, QueueCompletion } from "../../actor/declarations.types.ts";
import type { ActorDefinition } from "../../actor/definition.ts";

export type IsAny<T> = 0 extends 1 & T ? true : false;

/** The parts of a definition that callers have to do with. */
export type DefinitionParts<Definition> =
	IsAny<Definition> extends true
		? AnyParts
		: Definition extends ActorDefinition<
					infer _State,
					infer Params,
					infer _ConnState,
					infer _Vars,
					infer Input,
					infer _Database,
					infer Events,
					infer Queues,
					infer Actions
				>
			? { params: Params; input: Input; events: Events; queues: Queues; actions: Actions }
			: never;

interface AnyParts {
	params: unknown;
	input: unknown;
	// biome-ignore lint/suspicious/noExplicitAny: the untyped client knows nothing (contract: api 4.3)
	events: any;
	// biome-ignore lint/suspicious/noExplicitAny: as above
	queues: any;
	// biome-ignore lint/suspicious/noExplicitAny: as above
	actions: any;
}

/**
 * Suggests `Known` in editors and accepts any value, so that code which passed untyped values before
 * keeps compiling (contract: api 4.3).
 */
export type Suggested<Known> = unknown extends Known
	? unknown
	: Known | NonNullable<unknown> | null | undefined;

/** Names declared by a map of events or queues; `never` when nothing is declared. */
export type DeclaredNames<Declarations> =
	IsAny<Declarations> extends true
		? never
		: string extends keyof Declarations
			? never
			: keyof Declarations & string;

/** Arguments of a listener: a fixed-length tuple spreads, anything else is one (contract: api 4.3). */
export type ListenerArguments<Events, Name> = Spread<EventPayload<Events, Name>>;

type Spread<Payload> =
	IsAny<Payload> extends true
		? [payload: Payload]
		: Payload extends readonly [...infer Items]
			? number extends Payload["length"]
				? [payload: Payload]
				: Items
			: [payload: Payload];

/** What a waiting sender gets; `unknown` when the queue declares no completion. */
export type CompletionResponse<Queues, Name> = [QueueCompletion<Queues, Name>] extends [never]
	? unknown
	: QueueCompletion<Queues, Name>;
