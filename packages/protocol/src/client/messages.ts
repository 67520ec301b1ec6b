/** The client protocol's messages with decoded payloads (contract 1.4, 1.6, 8.1). */

/** An id of 64 bits that the client chose: a number when it is a safe integer. */
export type MessageId = number | bigint;

/** Which incarnation of which actor an error came from; version 4 only. */
export interface ActorSpecifier {
	readonly actorId: string;
	readonly generation: MessageId;
	/** Serialized. */
	readonly key?: string;
}

/** Server to client frames. */
export type ToClient =
	| { readonly tag: "Init"; readonly actorId: string; readonly connectionId: string }
	| {
			readonly tag: "Error";
			readonly group: string;
			readonly code: string;
			readonly message: string;
			readonly metadata?: unknown;
			/** The action that failed; `null` when the error is about the connection. */
			readonly actionId: MessageId | null;
			readonly actor?: ActorSpecifier;
	  }
	| { readonly tag: "ActionResponse"; readonly id: MessageId; readonly output: unknown }
	| { readonly tag: "Event"; readonly name: string; readonly args: unknown[] };

/** Client to server frames. */
export type ToServer =
	| {
			readonly tag: "ActionRequest";
			readonly id: MessageId;
			readonly name: string;
			readonly args: unknown[];
	  }
	| {
			readonly tag: "SubscriptionRequest";
			readonly eventName: string;
			readonly subscribe: boolean;
	  };

export interface HttpActionRequest {
	readonly args: unknown[];
}

export interface HttpActionResponse {
	readonly output: unknown;
}

export interface HttpQueueSendRequest {
	readonly body: unknown;
	readonly name?: string | undefined;
	readonly wait?: boolean | undefined;
	/** Milliseconds. In BARE it is rounded up, and negative times become 0. */
	readonly timeout?: number | undefined;
}

export interface HttpQueueSendResponse {
	readonly status: "completed" | "timedOut";
	readonly response?: unknown;
}

export interface HttpResponseError {
	readonly group: string;
	readonly code: string;
	readonly message: string;
	readonly metadata?: unknown;
	readonly actor?: ActorSpecifier;
}

/** Version of BARE messages that is emitted unless the peer is known to speak 4. */
export const CLIENT_PROTOCOL_VERSION = 3;
/** Versions that can be emitted. */
export type EmittedVersion = 3 | 4;

/** What is known of the client a message goes to. Absent: what every client since 2.1.3 understands. */
export interface ClientAbilities {
	/** Default {@link CLIENT_PROTOCOL_VERSION}. */
	readonly version?: EmittedVersion;
	/**
	 * Decodes `["$Undefined",0]` (8.2), which then stands for an `undefined` output in JSON. Default false:
	 * `null` stands for it (1.6).
	 */
	readonly tagsUndefined?: boolean;
}

export const ANY_CLIENT: ClientAbilities = {};

/** A client that sends call ids, or a session: only ours do (decision record 0006). */
export const IDENTIFYING_CLIENT: ClientAbilities = { tagsUndefined: true };
