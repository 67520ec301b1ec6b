import type { ActorResponse } from "@rivetkit/protocol";
import type { InboundRequest } from "../gateway/inbound.ts";
import type { Namespace, Namespaces } from "../pools/namespaces.ts";
import { readQuery } from "./engine-calls.ts";
import { type EngineOperationId, scopeQuery } from "./engine-contract.ts";

/** A request that was matched with an operation. */
export interface EngineCall {
	readonly request: InboundRequest;
	/** Of the path. */
	readonly parameters: Readonly<Record<string, string>>;
	readonly query: URLSearchParams;
}

export type EngineOperation = (call: EngineCall) => ActorResponse | Promise<ActorResponse>;

/** Some of the operations, by their ids. */
export type EngineOperations<Id extends EngineOperationId> = Readonly<Record<Id, EngineOperation>>;

/** The namespace that an operation is asked for in, where it has no other parameters. Throws `namespace.not_found`. */
export function scopeOf(namespaces: Namespaces, { query }: EngineCall): Promise<Namespace> {
	return namespaces.get(readQuery(scopeQuery, query).namespace);
}
