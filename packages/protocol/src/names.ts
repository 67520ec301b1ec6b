/** Every name of the contract that crosses the wire: headers, sub-protocol entries, paths. */

/** Selects the encoding of an actor request (contract 1.1). */
export const HEADER_ENCODING = "x-rivet-encoding";
/** Connection params as JSON text (2.1). */
export const HEADER_CONN_PARAMS = "x-rivet-conn-params";
/** The client's gateway token. */
export const HEADER_TOKEN = "x-rivet-token";
/** `actor` routes by header (4.3). */
export const HEADER_TARGET = "x-rivet-target";
/** The actor id of header routing (4.3). */
export const HEADER_ACTOR = "x-rivet-actor";
/** Generation and key of the answering actor, on responses (8.1). */
export const HEADER_ACTOR_GENERATION = "x-rivet-actor-generation";
export const HEADER_ACTOR_KEY = "x-rivet-actor-key";
/** Reserved. */
export const HEADER_NAMESPACE = "x-rivet-namespace";
/** Reserved for an actor query as JSON. */
export const HEADER_QUERY = "x-rivet-query";
/** Id of one gateway request, on responses (6.5). */
export const HEADER_RAY_ID = "x-rivet-ray-id";
/** `group.code` of a gateway failure, on responses (engine 3.7). */
export const HEADER_ERROR = "x-rivet-error";
/** Send to the placed host even if the actor is not ready (engine 3.4). */
export const HEADER_SKIP_READY_WAIT = "x-rivet-skip-ready-wait";
/**
 * Ours: one id per logical call, so that a call that is sent again is answered, not run twice. Sent
 * only to servers that announce {@link CAPABILITY_CALL_IDS}.
 */
export const HEADER_CALL_ID = "x-rivet-call-id";
/** Ours: until when a call waits that is taken up again (ms since the epoch); see `ResumedCall`. */
export const HEADER_WAIT_UNTIL = "x-rivet-wait-until";
/**
 * Ours: options of a queue message that its body has no place for, as JSON in ASCII:
 * `{ delay?, priority?, ttl?, dedupeKey? }`. Sent only to servers that announce
 * {@link CAPABILITY_QUEUE_OPTIONS}.
 */
export const HEADER_QUEUE_OPTIONS = "x-rivet-queue-options";
/** W3C trace context: where in a trace a call comes from. */
export const TRACEPARENT = "traceparent";
/**
 * Ours: the caller reads the result of the action as a stream (`StreamFrame`); any value. Sent only to
 * servers that announce {@link CAPABILITY_ACTION_STREAMS}.
 */
export const HEADER_STREAM = "x-rivet-stream";
/** Headers of the serverless start request (4.10). */
export const HEADER_ENDPOINT = "x-rivet-endpoint";
export const HEADER_TOTAL_SLOTS = "x-rivet-total-slots";
export const HEADER_RUNNER_NAME = "x-rivet-runner-name";
export const HEADER_NAMESPACE_NAME = "x-rivet-namespace-name";

/** Value of the target header and sub-protocol entry that selects an actor. */
export const TARGET_ACTOR = "actor";

/** Sub-protocol entries (3.2). All but the first are prefixes. */
export const SUBPROTOCOL_RIVET = "rivet";
export const SUBPROTOCOL_ENCODING = "rivet_encoding.";
export const SUBPROTOCOL_CONN_PARAMS = "rivet_conn_params.";
export const SUBPROTOCOL_TOKEN = "rivet_token.";
/** What an engine's token is made of: it is the end of a WebSocket's subprotocol, as written (engine 4.1). */
const ENGINE_TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
/** Whether runners can bring this token to an engine; {@link ENGINE_TOKEN_ALPHABET} says in words what can be. */
export function isEngineToken(text: string): boolean {
	return ENGINE_TOKEN.test(text);
}
export const ENGINE_TOKEN_ALPHABET =
	"runners send the token as part of a WebSocket's subprotocol, which can be letters, digits and !#$%&'*+-.^_`|~ only; take another one, for example of base64url or hexadecimal digits";
export const SUBPROTOCOL_TARGET = "rivet_target.";
export const SUBPROTOCOL_ACTOR = "rivet_actor.";
export const SUBPROTOCOL_INSPECTOR_TOKEN = "rivet_inspector_token.";
/** Engine 3.4: an entry without a value. */
export const SUBPROTOCOL_SKIP_READY_WAIT = "rivet_skip_ready_wait";
/** Ours: id of a client session; a WebSocket action's call id is `<session>:<action id>`. */
export const SUBPROTOCOL_SESSION = "rivet_session.";
/**
 * Ours, beside a session: the client counts the frames it gets, so that it can go on where its socket
 * broke. `new` on the first socket, then `<connection id>.<frames received on its socket>`. Sent only to
 * servers that announce {@link CAPABILITY_RESUME_EVENTS}.
 *
 * After Init the server sends the events that the client has missed, in order; or, when it does not have
 * all of them any more, one event named {@link EVENT_RESYNC} without arguments, and goes on from now.
 */
export const SUBPROTOCOL_RESUME = "rivet_resume.";
/**
 * Ours: the `traceparent` of W3C trace context for a WebSocket, whose opener may be unable to send headers.
 * Sent only to servers that announce {@link CAPABILITY_CALL_IDS}.
 */
export const SUBPROTOCOL_TRACEPARENT = "rivet_traceparent.";
/** Of a client on its first socket. */
export const RESUME_NEW = "new";

/** Ours, in the `capabilities` of `/metadata`: call ids are remembered. */
export const CAPABILITY_CALL_IDS = "call-ids";
/** Ours, in the `capabilities` of `/metadata`: one request can resolve and call (8.3). */
export const CAPABILITY_QUERY_GATEWAY = "query-gateway";
/** Ours, in the `capabilities` of `/metadata`: {@link HEADER_QUEUE_OPTIONS} is understood. */
export const CAPABILITY_QUEUE_OPTIONS = "queue-options";
/** Ours, in the `capabilities` of `/metadata`: {@link SUBPROTOCOL_RESUME} is understood. */
export const CAPABILITY_RESUME_EVENTS = "resume-events";
/** Ours, in the `capabilities` of `/metadata`: {@link HEADER_STREAM} is understood. */
export const CAPABILITY_ACTION_STREAMS = "action-streams";

/** Ours: the reserved name of the event that says that events were missed. */
export const EVENT_RESYNC = "$rivet.resync";

/** Port of the local server and of an engine's front door. */
export const DEFAULT_PORT = 6420;
/** Where servers outside browsers are looked for when nothing is configured. */
export const DEFAULT_ENDPOINT = "http://127.0.0.1:6420";
/** Path of the serverless handler, below the page's origin in browsers. */
export const DEFAULT_BASE_PATH = "/api/rivet";
export const DEFAULT_NAMESPACE = "default";
export const DEFAULT_RUNNER_NAME = "default";
/** `runtime` in `/metadata` and `/health`: the marker of compatibility. */
export const RUNTIME = "rivetkit";
/** The same of an engine that hosts no actors itself: its runners do (engine 1). */
export const RUNTIME_ENGINE = "engine";

/** Gateway and management routes (4.2, 4.6). */
export const PATH_GATEWAY = "/gateway";
export const PATH_ACTORS = "/actors";
export const PATH_ACTOR_NAMES = "/actors/names";
export const PATH_METADATA = "/metadata";
export const PATH_HEALTH = "/health";
/** Ours: Prometheus text. */
export const PATH_METRICS = "/metrics";
/** Of one key of an actor, behind `/actors/{id}`; the key follows in base64. */
export const PATH_KV_KEYS = "/kv/keys/";
/** The engine's wake-up call to a serverless handler (4.10). */
export const PATH_START = "/start";
/** The inspector's web page (7.2). */
export const PATH_UI = "/ui/";

/** Routes below one actor (2.2, 3.1). */
export const PATH_ACTION = "/action/";
export const PATH_QUEUE = "/queue";
export const PATH_REQUEST = "/request";
export const PATH_CONNECT = "/connect";
export const PATH_WEBSOCKET = "/websocket";

/** Inspector routes below one actor (7.2, 8.7). The name of an action follows its path. */
export const PATH_INSPECTOR = "/inspector/";
/**
 * Whether a path below an actor, with or without its query, is its inspector's. {@link PATH_METRICS} of one actor (8.4)
 * is, too, so that asking wakes nobody.
 */
export function isInspectorPath(path: string): boolean {
	return path.startsWith(PATH_INSPECTOR) || /^\/metrics\/?(?:\?|$)/.test(path);
}

export const PATH_INSPECTOR_STATE = "/inspector/state";
export const PATH_INSPECTOR_CONNECTIONS = "/inspector/connections";
export const PATH_INSPECTOR_RPCS = "/inspector/rpcs";
export const PATH_INSPECTOR_ACTION = "/inspector/action/";
export const PATH_INSPECTOR_QUEUE = "/inspector/queue";
export const PATH_INSPECTOR_TRACES = "/inspector/traces";
export const PATH_INSPECTOR_WORKFLOW_HISTORY = "/inspector/workflow-history";
export const PATH_INSPECTOR_WORKFLOW_REPLAY = "/inspector/workflow/replay";
export const PATH_INSPECTOR_SUMMARY = "/inspector/summary";
export const PATH_INSPECTOR_DATABASE_SCHEMA = "/inspector/database/schema";
export const PATH_INSPECTOR_DATABASE_ROWS = "/inspector/database/rows";
export const PATH_INSPECTOR_DATABASE_EXECUTE = "/inspector/database/execute";
export const PATH_INSPECTOR_CONNECT = "/inspector/connect";
/** Ours: server-sent events. */
export const PATH_INSPECTOR_STREAM = "/inspector/stream";

/** Where an actor keeps its inspector token: the key byte 03 in base64 (4.6, 7.1). */
export const KV_KEY_INSPECTOR_TOKEN = "Aw==";

/** Longest action, queue or protocol frame towards an actor, in bytes (2.7). */
export const INCOMING_MESSAGE_BYTES_MAX = 65_536;
/** Longest action response or protocol frame from an actor, in bytes (2.7). */
export const OUTGOING_MESSAGE_BYTES_MAX = 1_048_576;

/** Why sockets close (3.7). */
export const CLOSE_NORMAL = 1000;
/** The server stops, or takes the peer for dead. */
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_ERROR = 1011;
export const CLOSE_REASON_DISPOSED = "Disposed";
