import type { ActionResult } from "../action-stream.ts";
import type { ActorConnRaw } from "../connection/connection.ts";
import type { EventUnsubscribe } from "../connection/subscriptions.ts";
import type { ActorActions } from "./action.types.ts";
import type { HandleMember, QueueSender } from "./actor-handle.types.ts";
import type { DeclaredNames, DefinitionParts, ListenerArguments } from "./definition.types.ts";

/** Names an actor's actions cannot have on a connection (api 15.4). */
type ConnectionMember = HandleMember | keyof ActorConnRaw;

/**
 * Takes listeners of an actor's events, with the payloads of the declared ones; other names take any listener. `Result` is
 * what it returns: adapters whose subscriptions end by themselves return nothing.
 */
export interface ActorEventSubscriber<Definition, Result = EventUnsubscribe> {
	<Name extends DeclaredNames<EventsOf<Definition>>>(
		eventName: Name,
		listener: (...args: ListenerArguments<EventsOf<Definition>, Name>) => void,
	): Result;
	// biome-ignore lint/suspicious/noExplicitAny: listeners of undeclared events say themselves what they take (api 4.3)
	(eventName: string, listener: (...args: any[]) => void): Result;
}

type EventsOf<Definition> = DefinitionParts<Definition>["events"];

interface TypedConn<Definition> extends Omit<ActorConnRaw, "on" | "once" | "send" | "action"> {
	/** Runs, or streams, an action by its wire name; the only way to names like `send` and `on`. */
	action<Args extends readonly unknown[] = readonly unknown[], Response = unknown>(call: {
		readonly name: string;
		readonly args: Args;
		readonly signal?: AbortSignal;
	}): ActionResult<Response>;
	/** Calls `listener` with the arguments of each event of this name. */
	readonly on: ActorEventSubscriber<Definition>;
	/** Calls `listener` with the arguments of the next event of this name. */
	readonly once: ActorEventSubscriber<Definition>;
	/** Puts a message into a queue of the actor, over HTTP. */
	readonly send: QueueSender<DefinitionParts<Definition>["queues"]>;
}

/** A connection to an actor, with its actions as methods (contract: api 15.5). */
export type ActorConn<Definition> = TypedConn<Definition> &
	ActorActions<DefinitionParts<Definition>["actions"], ConnectionMember>;
