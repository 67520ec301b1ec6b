export type {
	ActorMetadata,
	ActorNameMetadata,
	ApiActor,
	ApiActorStatus,
	ApiCreateActorRequest,
	ApiCreateActorResponse,
	ApiGetOrCreateActorResponse,
	ApiKvGetResponse,
	ApiListActorNamesResponse,
	ApiListActorsResponse,
	ApiPagination,
	HealthResponse,
	RunnerKind,
	ServerMetadata,
} from "./api-types.ts";
export { decodeBase64, encodeBase64 } from "./base64.ts";
export { decodeCbor } from "./cbor/decode.ts";
export { encodeCbor } from "./cbor/encode.ts";
export {
	decodeHttpActionRequest,
	decodeHttpActionResponse,
	decodeHttpQueueSendRequest,
	decodeHttpQueueSendResponse,
	decodeHttpResponseError,
	encodeHttpActionRequest,
	encodeHttpActionResponse,
	encodeHttpQueueSendRequest,
	encodeHttpQueueSendResponse,
	encodeHttpResponseError,
	httpQueueSendRequestEncoder,
} from "./client/http.ts";
export {
	type ActorSpecifier,
	ANY_CLIENT,
	CLIENT_PROTOCOL_VERSION,
	type ClientAbilities,
	type EmittedVersion,
	type HttpActionRequest,
	type HttpActionResponse,
	type HttpQueueSendRequest,
	type HttpQueueSendResponse,
	type HttpResponseError,
	IDENTIFYING_CLIENT,
	type MessageId,
	type ToClient,
	type ToServer,
} from "./client/messages.ts";
export { peekActionId } from "./client/peek.ts";
export {
	decodeStreamFrame,
	encodeStreamFrame,
	type StreamFrame,
	streamContentType,
	streamFrameEnd,
} from "./client/stream.ts";
export { decodeToClient, encodeToClient } from "./client/to-client.ts";
export { decodeToServer, encodeToServer } from "./client/to-server.ts";
export { CLOSE_REASON_BYTES_MAX, parseCloseReason, truncateCloseReason } from "./close-reason.ts";
export {
	CONN_PARAMS_BYTES_MAX,
	decodeConnParams,
	encodeAsciiJson,
	encodeConnParamsHeader,
} from "./conn-params.ts";
export { EncodeError, NestedTooDeep } from "./encode-error.ts";
export { contentType, ENCODINGS, type Encoding, parseEncoding } from "./encoding.ts";
export {
	ConfigError,
	type ConfigIssue,
	type EndpointConfig,
	type EndpointOptions,
	joinUrl,
	type ParsedEndpoint,
	parseEndpoint,
	resolveEndpointConfig,
} from "./endpoint.ts";
export { type Clock, delayUntil, systemClock, type Timer } from "./env/clock.ts";
export { type Random, systemRandom } from "./env/random.ts";
export {
	CATALOGUE,
	type CatalogueCode,
	type CatalogueDetails,
	type CatalogueRow,
	catalogueError,
} from "./errors/catalogue.ts";
export { countLimitHit, LIMIT_ERRORS, limitHits } from "./errors/limit-hits.ts";
export { isLogged, noteLogged } from "./errors/logged.ts";
export {
	INTERNAL_ERROR_CODE,
	INTERNAL_ERROR_DESCRIPTION,
	INTERNAL_ERROR_GROUP,
	isActorError,
	RivetError,
	type RivetErrorOptions,
	USER_ERROR_CODE,
	USER_ERROR_GROUP,
} from "./errors/rivet-error.ts";
export { toWireError, type WireError } from "./errors/wire.ts";
export { type GatewayPath, gatewayPath, loggedPath, parseGatewayPath } from "./gateway/path.ts";
export {
	buildQueryGateway,
	type CrashPolicy,
	parseQueryGateway,
	QUERY_INPUT_BYTES_MAX,
	type QueryGateway,
	type QueryGatewayTarget,
} from "./gateway/query.ts";
export {
	type ActorAssignment,
	ActorDeclined,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorSocketHandler,
	type ActorUpgrade,
	type HeadersView,
	type HostEvents,
	type InspectedActor,
	type InspectionTarget,
	type PlainSocket,
	type PreparedMessage,
	type RequestBody,
	type ResumedCall,
	type StartAgain,
	type StopIntent,
} from "./host/host.ts";
export {
	COLD_KEYS_START,
	type StorageBatch,
	type StorageOp,
	type StorageRange,
} from "./host/storage.ts";
export { type ActorIdParts, formatActorId, newActorId, parseActorId } from "./ids.ts";
export { INSPECTOR_TOKEN_KEY, newInspectorToken } from "./inspector-token.ts";
export { decodeJson } from "./json/decode.ts";
export { encodeJson } from "./json/encode.ts";
export {
	ACTOR_NAME_CHARS_MAX,
	checkActorName,
	checkKey,
	KEY_BYTES_MAX,
	KEY_PART_BYTES_MAX,
	normalizeKey,
	parseKey,
	serializeKey,
} from "./keys.ts";
export { foreignName, isLoopbackAddress, isLoopbackHost } from "./loopback.ts";
export * from "./names.ts";
export {
	buildSubprotocols,
	parseSubprotocols,
	type ResumePoint,
	routingSubprotocols,
	type SubprotocolOffer,
	type SubprotocolRoute,
	type Subprotocols,
	selectSubprotocol,
} from "./subprotocols.ts";
export { unsupportedRuntime } from "./supported-runtime.ts";
export { utf8Exceeds, utf8Length } from "./utf8.ts";
export { socketMessage, viewBytes } from "./view-bytes.ts";
