import { catalogued } from "./actor-error.ts";

// One class per row of the contract's table (api 13.2); a test holds them against the catalogue.

export class ActionNotFound extends catalogued("action.not_found") {}
export class ActionTimedOut extends catalogued("action.timed_out") {}
export class InvalidActionRequest extends catalogued("action.invalid_request") {}
export class ActorNotFound extends catalogued("actor.not_found") {}
export class ActorDuplicateKey extends catalogued("actor.duplicate_key") {}
export class ActorStopping extends catalogued("actor.stopping") {}
export class ActorAborted extends catalogued("actor.aborted") {}
export class InternalError extends catalogued("actor.internal_error") {}
export class Unreachable extends catalogued("actor.internal_error") {}
export class StateNotEnabled extends catalogued("actor.state_not_enabled") {}
export class ConnStateNotEnabled extends catalogued("actor.conn_state_not_enabled") {}
export class VarsNotEnabled extends catalogued("actor.vars_not_enabled") {}
export class DatabaseNotEnabled extends catalogued("database.not_enabled") {}
export class InvalidStateType extends catalogued("state.invalid_type") {}
export class Unsupported extends catalogued("feature.unsupported") {}
export class FeatureNotImplemented extends catalogued("feature.not_implemented") {}
export class RestrictedFeature extends catalogued("feature.restricted") {}
export class Forbidden extends catalogued("auth.forbidden") {}
export class InvalidParams extends catalogued("params.invalid") {}
export class InvalidEncoding extends catalogued("encoding.invalid") {}
export class IncomingMessageTooLong extends catalogued("message.incoming_too_long") {}
export class OutgoingMessageTooLong extends catalogued("message.outgoing_too_long") {}
export class MalformedMessage extends catalogued("message.malformed") {}
export class InvalidRequest extends catalogued("request.invalid") {}
export class InvalidQueryJSON extends catalogued("request.invalid_query_json") {}
export class MissingActorHeader extends catalogued("request.missing_actor_header") {}
export class RequestHandlerNotDefined extends catalogued("handler.request_not_defined") {}
export class WebSocketHandlerNotDefined extends catalogued("handler.websocket_not_defined") {}
export class InvalidRequestHandlerResponse extends catalogued(
	"handler.invalid_request_handler_response",
) {}
export class InvalidCanSubscribeResponse extends catalogued(
	"handler.invalid_can_subscribe_response",
) {}
export class InvalidCanPublishResponse extends catalogued("handler.invalid_can_publish_response") {}
export class EventPayloadInvalid extends catalogued("event.invalid_payload") {}
export class QueueFull extends catalogued("queue.full") {}
export class QueueMessageTooLarge extends catalogued("queue.message_too_large") {}
export class QueueMessageInvalid extends catalogued("queue.message_invalid") {}
export class QueuePayloadInvalid extends catalogued("queue.invalid_payload") {}
export class QueueCompletionPayloadInvalid extends catalogued("queue.invalid_completion_payload") {}
export class QueueAlreadyCompleted extends catalogued("queue.already_completed") {}
export class QueuePreviousMessageNotCompleted extends catalogued(
	"queue.previous_message_not_completed",
) {}
export class QueueCompleteNotConfigured extends catalogued("queue.complete_not_configured") {}
export class ProxyError extends catalogued("proxy.error") {}
export class RouteNotFound extends catalogued("route.not_found") {}
export class WebSocketsNotEnabled extends catalogued("driver.websockets_not_enabled") {}
export class EndpointMismatch extends catalogued("config.endpoint_mismatch") {}
export class NamespaceMismatch extends catalogued("config.namespace_mismatch") {}
