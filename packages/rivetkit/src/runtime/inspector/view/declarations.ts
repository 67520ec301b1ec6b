import type { Declaration, DeclarationsAnswer } from "@rivetkit/protocol/inspector/answers";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ErasedActorConfig } from "../../../actor/erased.ts";
import { jsonSchemaOf } from "../../../actor/standard-schema.ts";

/** What an actor is declared to take and to send, with schemas where there are some. */
export function declarationsOf({ actions, queues, events }: ErasedActorConfig): DeclarationsAnswer {
	return {
		actions: Array.from(actions, ([name, { inputSchema, inputIsList }]) => ({
			...declaration(name, inputSchema),
			takesList: inputIsList,
		})),
		queues: Array.from(queues, ([name, { message }]) => declaration(name, message)),
		events: Array.from(events, ([name, { schema }]) => declaration(name, schema)),
	};
}

function declaration(name: string, schema: StandardSchemaV1 | undefined): Declaration {
	const json = schema && jsonSchemaOf(schema);
	return { name, isValidated: schema !== undefined, ...(json && { schema: json }) };
}
