import type { QueueBody } from "../../actor/declarations.types.ts";
import type { ActionResult } from "../action-stream.ts";
import type { ActorHandleRaw } from "../handle.ts";
import type { QueueSendOptions, QueueSendResult } from "../queue-send.ts";
import type { ActorActions } from "./action.types.ts";
import type { ActorConn } from "./actor-conn.types.ts";
import type { CompletionResponse, DeclaredNames, DefinitionParts } from "./definition.types.ts";

/** Names an actor's actions cannot have on a handle; `handle.action` reaches them (api 15.4). */
export type HandleMember =
	| "action"
	| "connect"
	| "fetch"
	| "webSocket"
	| "resolve"
	| "getGatewayUrl"
	| "send"
	| "constructor"
	| "then"
	| "toJSON";

/** `send` with the names and bodies of the declared queues; other names take anything. */
export interface QueueSender<Queues> {
	<Name extends DeclaredNames<Queues>>(
		queue: Name,
		body: QueueBody<Queues, Name>,
		options: QueueSendOptions & { readonly wait: true },
	): Promise<QueueSendResult<CompletionResponse<Queues, Name>>>;
	<Name extends DeclaredNames<Queues>>(
		queue: Name,
		body: QueueBody<Queues, Name>,
		options?: QueueSendOptions & { readonly wait?: false },
	): Promise<void>;
	(
		queue: string,
		body: unknown,
		options: QueueSendOptions & { readonly wait: true },
	): Promise<QueueSendResult>;
	(
		queue: string,
		body: unknown,
		options?: QueueSendOptions & { readonly wait?: false },
	): Promise<void>;
	(
		queue: string,
		body: unknown,
		options?: QueueSendOptions,
		// biome-ignore lint/suspicious/noConfusingVoidType: nothing is the answer without `wait`
	): Promise<QueueSendResult | void>;
}

interface TypedHandle<Definition> extends Omit<ActorHandleRaw, "connect" | "send" | "action"> {
	/** Runs, or streams, an action by its wire name; the only way to names like {@link HandleMember}. */
	action<Args extends readonly unknown[] = readonly unknown[], Response = unknown>(call: {
		readonly name: string;
		readonly args: Args;
		readonly signal?: AbortSignal;
	}): ActionResult<Response>;
	/** Opens a connection in the background and returns it at once. Dispose it when done. */
	connect(): ActorConn<Definition>;
	/** Puts a message into a queue of the actor; see {@link QueueSendOptions}. */
	readonly send: QueueSender<DefinitionParts<Definition>["queues"]>;
}

/** A reference to an actor, with its actions as methods (contract: api 15.3). */
export type ActorHandle<Definition> = TypedHandle<Definition> &
	ActorActions<DefinitionParts<Definition>["actions"], HandleMember>;
