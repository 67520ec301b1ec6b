/**
 * Every error the system raises by name: group, code, whether callers see it, HTTP status, text
 * (contract 6.2, api 13.2, engine 2 to 3, rulings). Group and code are the interface; texts are ours
 * where no peer depends on them.
 */
import { countLimitHit } from "./limit-hits.ts";
import { INTERNAL_ERROR_DESCRIPTION, RivetError } from "./rivet-error.ts";

/** One row. `D` are the details its text and metadata are made of. */
export interface CatalogueRow<D extends object> {
	readonly public: boolean;
	readonly statusCode: number;
	readonly message: (details: D) => string;
	readonly metadata?: (details: D) => unknown;
}

/** What a row says beside its text: another status than 400 (public) or 500, and its metadata. */
interface Extra<D> {
	readonly status?: number;
	readonly metadata?: (details: D) => unknown;
}

type NoDetails = Record<never, never>;
type Text<D> = string | ((details: D) => string);
interface Issues {
	readonly name: string;
	readonly issues: unknown;
}
interface Size {
	readonly size: number;
	readonly limit: number;
}

/** Callers see it. */
function open<D extends object = NoDetails>(message: Text<D>, extra: Extra<D> = {}) {
	return row(true, 400, message, extra);
}

/** Callers see a masked internal error, unless errors are exposed. */
function closed<D extends object = NoDetails>(message: Text<D>, extra: Extra<D> = {}) {
	return row(false, 500, message, extra);
}

function row<D extends object>(
	isPublic: boolean,
	status: number,
	message: Text<D>,
	extra: Extra<D>,
): CatalogueRow<D> {
	return {
		public: isPublic,
		statusCode: extra.status ?? status,
		message: typeof message === "string" ? () => message : message,
		...(extra.metadata === undefined ? {} : { metadata: extra.metadata }),
	};
}

/** Which actor holds the key, where the caller is told (engine 2.4). */
interface DuplicateKey {
	readonly key: string;
	readonly existing_actor_id: string;
}

const sizeAndLimit = ({ size, limit }: Size) => ({ size, limit });
const nameAndIssues = ({ name, issues }: Issues) => ({ name, issues });
const all = <D>(details: D): D => details;
/** "what: detail", or only what. */
const withDetail = (what: string, detail: string | undefined) =>
	detail === undefined ? what : `${what}: ${detail}`;
/** How whoever runs the server raises a limit of the engine's front. */
const raisedBy = (limit: string) =>
	` It can be raised with: \`setup({ limits: { ${limit}: ... } })\``;
const sized = (what: string, { size, limit }: Size, hint = "") =>
	`${what} too large (${size} bytes). Limit is ${limit} bytes${hint}.`;
/** The size is absent when the message was cut off while it arrived. */
const maybeSizeAndLimit = (details: Partial<Size>) =>
	details.limit === undefined ? undefined : details;

export const CATALOGUE = {
	"rivetkit.internal_error": closed(INTERNAL_ERROR_DESCRIPTION, { metadata: () => ({}) }),

	"actor.internal_error": closed((d: { message: string }) => d.message),
	"actor.not_found": open(
		(d: { identifier?: string }) => withDetail("Actor not found", d.identifier),
		{ status: 404 },
	),
	"actor.duplicate_key": open(
		(d: { name: string; key: readonly string[]; existing?: DuplicateKey }) =>
			`Actor already exists with name '${d.name}' and key '${JSON.stringify(d.key)}'`,
		{ metadata: (d) => d.existing },
	),
	"actor.stopping": open((d: { actorId?: string }) => withDetail("Actor stopping", d.actorId)),
	"actor.aborted": open("Actor aborted."),
	"actor.state_not_enabled": closed(
		"State not enabled. Must implement `createState` or `state` to use state.",
	),
	"actor.conn_state_not_enabled": closed(
		"Connection state not enabled. Must implement `createConnState` or `connState` to use connection state.",
	),
	"actor.vars_not_enabled": closed(
		"Variables not enabled. Must implement `createVars` or `vars` to use vars.",
	),
	"actor.workflow_in_flight": open("The workflow is running. Wait until it sleeps or ends.", {
		status: 409,
	}),
	"actor.no_runners_available": open(
		(d: { namespace: string; runner_name: string }) =>
			`No runner named '${d.runner_name}' is connected in namespace '${d.namespace}'.`,
		{ metadata: all },
	),
	"actor.no_runner_config_configured": open(
		(d: { namespace: string; pool_name: string }) =>
			`No runner config for pool '${d.pool_name}' in namespace '${d.namespace}'.`,
		{ metadata: all },
	),
	"actor.empty_key": open("The actor key is empty."),
	"actor.key_too_large": open(
		(d: { max_size: number; key_preview: string }) =>
			`Actor key too large. Limit is ${d.max_size} bytes: ${d.key_preview}`,
		{ metadata: all },
	),
	"actor.input_too_large": open(
		(d: { max_size: number }) => `Actor input too large. Limit is ${d.max_size} bytes of base64.`,
		{ metadata: all },
	),
	"actor.key_reserved_in_different_datacenter": open(
		(d: { datacenter_label: number }) =>
			`The actor key is reserved in datacenter ${d.datacenter_label}.`,
		{ metadata: all },
	),
	"actor.destroyed_during_creation": open("Actor was destroyed during its creation."),
	"actor.destroyed_while_waiting_for_ready": open(
		"Actor was destroyed while a caller waited for it to be ready.",
	),
	"actor.kv_key_not_found": open("The actor has no such key."),

	"action.not_found": open(
		(d: { name: string }) =>
			`Action '${d.name}' not found. Validate the action exists on your actor.`,
	),
	"action.timed_out": open(
		"Action timed out. Its handler may still be running. The limit can be raised with: `actor({ options: { actionTimeout: ... } })`",
	),
	"action.invalid_request": open((d: { message: string; metadata?: unknown }) => d.message, {
		metadata: (d) => d.metadata,
	}),

	"action.is_stream": open(
		(d: { name: string }) =>
			`Action '${d.name}' streams its result. Read it with \`for await (const item of actor.${d.name}(...))\`, in a client that can: it cannot be awaited.`,
	),
	"action.not_a_stream": open(
		(d: { name: string }) =>
			`Action '${d.name}' was run, but it returned no async iterable to stream. Await its result.`,
	),

	"action.answer_not_kept": open(
		(d: Size) =>
			`The call was run before. Its answer (${d.size} bytes) was too large to be kept for a repetition (${d.limit} bytes).`,
		{ status: 409, metadata: sizeAndLimit },
	),

	"action.answer_forgotten": open("The call was run before. Its answer is not kept any more.", {
		status: 409,
	}),

	"encoding.invalid": open((d: { value: string }) => `Invalid encoding \`${d.value}\`.`),
	"params.invalid": open((d: { detail: string }) => `Invalid params JSON: ${d.detail}`),
	"message.incoming_too_long": open(
		(d: Partial<Size>) =>
			`Incoming message too long${lengths(d)}. This can be configured with: \`setup({ maxIncomingMessageSize: ... })\``,
		{ metadata: maybeSizeAndLimit },
	),
	"message.outgoing_too_long": open(
		(d: Partial<Size>) =>
			`Outgoing message too long${lengths(d)}. This can be configured with: \`setup({ maxOutgoingMessageSize: ... })\``,
		{ metadata: maybeSizeAndLimit },
	),
	"message.malformed": open((d: { cause: string }) => `Malformed message: ${d.cause}`),

	"request.invalid": open((d: { detail: string }) => `Invalid request: ${d.detail}`),
	"request.invalid_query_json": open((d: { cause: string }) => `Invalid query JSON: ${d.cause}`),
	"request.missing_actor_header": open("Missing x-rivet-actor header when x-rivet-target=actor"),
	"request.timed_out": open(
		(d: { timeoutMs: number }) =>
			`The request handler did not answer within ${d.timeoutMs} ms. The limit can be raised with: \`actor({ options: { actionTimeout: ... } })\``,
		{ status: 504 },
	),
	"route.not_found": open("Route not found", { status: 404 }),
	"auth.forbidden": open("Forbidden", { status: 403 }),

	"feature.restricted": open(
		(d: { feature: string }) =>
			`${d.feature} needs a token, and none is configured: set setup({ token }) and send it as x-rivet-token, or run the server with NODE_ENV=development`,
		{ status: 403 },
	),
	"feature.not_implemented": open((d: { feature: string }) => `${d.feature} is not implemented`, {
		status: 501,
	}),
	"feature.unsupported": closed((d: { feature: string }) => `Unsupported feature: ${d.feature}`),

	"handler.request_not_defined": open(
		"Raw request handler not defined. Actor must implement `onRequest` to handle raw HTTP requests.",
		{ status: 404 },
	),
	"handler.websocket_not_defined": open(
		"Raw WebSocket handler not defined. Actor must implement `onWebSocket` to handle raw WebSocket connections.",
		{ status: 404 },
	),
	"handler.invalid_request_handler_response": open(
		"Actor's onRequest handler must return a Response object. Returning void/undefined is not allowed.",
		{ status: 500 },
	),
	"handler.invalid_can_subscribe_response": closed(
		"Event canSubscribe hook must return a boolean value.",
	),
	"handler.invalid_can_publish_response": closed(
		"Queue canPublish hook must return a boolean value.",
	),

	"event.invalid_payload": open((d: Issues) => `Event payload failed validation for '${d.name}'.`, {
		metadata: nameAndIssues,
	}),

	"event.name_too_long": open(
		(d: Size) => `Event name too long (${d.size} bytes). Limit is ${d.limit} bytes.`,
		{ metadata: sizeAndLimit },
	),
	"event.too_many_subscriptions": open(
		(d: { name: string; limit: number }) =>
			`Not subscribed to '${d.name}': the connection has ${d.limit} subscriptions, which is the limit. It can be raised with: \`actor({ options: { maxConnectionSubscriptions: ... } })\``,
		{ metadata: all },
	),

	"queue.full": open(
		(d: { limit: number; queue?: string }) =>
			`Queue is full. Limit is ${d.limit} messages${
				d.queue === undefined
					? ". It can be raised with: `actor({ options: { maxQueueSize: ... } })`"
					: ` in '${d.queue}'. It can be raised with: \`queue({ maxSize: ... })\``
			}`,
		{ metadata: all },
	),
	"queue.message_too_large": open(
		(d: Size) =>
			sized(
				"Queue message",
				d,
				". It can be raised with: `actor({ options: { maxQueueMessageSize: ... } })`",
			),
		{ metadata: sizeAndLimit },
	),
	"queue.message_invalid": open(
		(d: { path?: string }) =>
			d.path === undefined
				? "Queue message body contains unsupported type."
				: `Queue message body contains unsupported type at ${d.path}.`,
		{ metadata: (d) => (d.path === undefined ? undefined : { path: d.path }) },
	),
	"queue.already_completed": open(
		(d: { wentBack?: { readonly id: number; readonly queue: string } }) =>
			d.wentBack === undefined
				? "Queue message was already completed."
				: `Queue message ${d.wentBack.id} of '${d.wentBack.queue}' went back to its queue: what had received it ended without completing it.`,
	),
	"queue.previous_message_not_completed": open(
		"Previous completable queue message is not completed. Call `message.complete(...)` before receiving the next message.",
	),
	"queue.invalid_payload": open((d: Issues) => `Queue payload failed validation for '${d.name}'.`, {
		metadata: nameAndIssues,
	}),
	"queue.invalid_completion_payload": open(
		(d: Issues) => `Queue completion payload failed validation for '${d.name}'.`,
		{ metadata: nameAndIssues },
	),
	"queue.complete_not_configured": open(
		(d: { name: string }) => `Queue '${d.name}' does not support completion responses.`,
		{ metadata: all },
	),
	"queue.invalid_option": open(
		(d: { option: string; expected: string; found: string }) =>
			`Option '${d.option}' of a queue call must be ${d.expected}, found ${d.found}.`,
		{ metadata: all },
	),
	"queue.message_not_found": open(
		(d: { id: bigint }) => `There is no queue message ${d.id}, or none for which this can be done.`,
		{ metadata: all },
	),
	"queue.message_given_up": open(
		(d: { queue: string; attempts: number }) =>
			`The message to queue '${d.queue}' was delivered ${d.attempts} times and never completed, so it was given up (\`queue({ maxAttempts: ... })\`).`,
		{ metadata: all },
	),
	"queue.waits_for_itself": open(
		"send(..., { wait: true }) from an actor's own `run` to the same actor would wait for itself: the message can only be handled after this call. Send without `wait`, or call it from an action.",
	),
	"queue.too_many_waits": open(
		(d: { limit: number }) =>
			`Too many calls of this actor wait for queue messages or their completion. Limit is ${d.limit}.`,
		{ metadata: all },
	),

	"state.invalid_type": closed((d: { path?: string; reason?: string }) => {
		const at = d.path ? ` at path \`${d.path}\`` : "";
		return `${withDetail(`Attempted to set invalid state${at}`, d.reason)}. State holds null, undefined, booleans, numbers, strings, bigints, dates, regular expressions, errors, bytes and typed arrays, and arrays, plain objects, maps and sets of these.`;
	}),
	"state.too_large": open(
		(d: Size) => sized("Actor state", d, " (`actor({ options: { maxStateSize: ... } })`)"),
		{ metadata: sizeAndLimit },
	),
	"connection.state_too_large": open(
		(d: Size) => sized("conn.state", d, "; keep growing data in c.state, c.kv or c.db"),
		{ metadata: sizeAndLimit },
	),
	"input.too_large": open((d: Size) => sized("Actor input", d) + raisedBy("inputBytesMax"), {
		metadata: sizeAndLimit,
	}),

	"kv.key_too_large": open((d: Size) => sized("Key", d), { metadata: sizeAndLimit }),
	"kv.value_too_large": open((d: Size) => sized("Value", d), { metadata: sizeAndLimit }),
	"kv.too_many_keys": open(
		(d: Size) => `Too many keys in one call (${d.size}). Limit is ${d.limit} keys.`,
		{ metadata: sizeAndLimit },
	),
	"kv.batch_too_large": open((d: Size) => sized("Batch", d), { metadata: sizeAndLimit }),
	"kv.uncommitted_too_large": open(
		(d: Size) =>
			`Too much is written to c.kv in one commit (${d.size} bytes). Limit is ${d.limit} bytes (\`actor({ options: { maxUncommittedKvSize: ... } })\`). To write in several commits: \`await c.saveState({ immediate: true })\` in between.`,
		{ metadata: sizeAndLimit },
	),
	"kv.storage_full": open((d: Size) => sized("Storage of this actor", d), {
		metadata: sizeAndLimit,
	}),

	"atomic.timed_out": closed(
		(d: { timeoutMs: number }) =>
			`c.atomic did not finish within ${d.timeoutMs} ms; what was written in it is dropped. The limit can be raised with: \`c.atomic(work, { timeout: ... })\``,
	),
	"atomic.nested": closed(
		"c.atomic inside c.atomic: everything in the outer one is one commit already. Call the inner work without c.atomic.",
	),
	"atomic.no_receive": closed(
		"Messages cannot be received inside c.atomic: receive first, and handle and complete them inside.",
	),
	"atomic.over": closed(
		"This code belongs to a c.atomic that has failed, so the actor takes nothing more from it. Wait inside c.atomic for everything that is started there.",
	),
	"atomic.waits_for_itself": closed(
		(d: { what: string }) =>
			`${d.what} inside c.atomic would wait until c.atomic is over, which waits for it. Do it after c.atomic.`,
	),

	"schedule.full": open(
		(d: { limit: number }) =>
			`Schedule is full. Limit is ${d.limit} entries. It can be raised with: \`actor({ options: { maxSchedules: ... } })\``,
		{ metadata: all },
	),
	"schedule.arguments_too_large": open((d: Size) => sized("Arguments of a scheduled call", d), {
		metadata: sizeAndLimit,
	}),

	"workflow.not_enabled": open("Workflow not enabled. `run` must be made by `workflow()`."),
	"workflow.not_recoverable": open(
		(d: { state: string }) =>
			`The workflow is ${d.state}. Only one that has failed or is blocked can be recovered.`,
		{ metadata: all },
	),
	"workflow.not_replayable": open(
		"The workflow is cancelled, which is final. Begin another one: in another actor, or in this one once it was destroyed.",
		{ status: 409 },
	),
	"workflow.entry_not_found": open(
		(d: { entryId: string }) => `No step of the workflow has the id ${d.entryId}.`,
		{ metadata: all },
	),
	"workflow.unknown_export": open(
		(d: { format: string }) =>
			`The exported workflow has format ${d.format}, which this version does not know.`,
		{ metadata: all },
	),
	"workflow.entry_too_large": open(
		(d: Size & { path: string }) =>
			sized(
				`What is recorded of workflow entry "${d.path}" is`,
				d,
				" (`workflow(fn, { maxEntrySize: ... })`)",
			),
		{ metadata: all },
	),
	"workflow.too_many_entries": open(
		(d: { limit: number }) => `Workflow has too many entries. Limit is ${d.limit}.`,
		{ metadata: all },
	),

	"database.not_enabled": closed(
		"Database not enabled. Give the actor one: `db: db()`, with `db` of rivetkit/db.",
	),
	"database.unsupported_runtime": closed(
		(d: { runtime: string }) =>
			`Actors' databases need the SQLite engine of the runtime, and this one (${d.runtime}) has none. Use Node.js 22.13 or newer, Bun 1.2 or newer or Deno 2.2 or newer, or a database provider of your own (\`actor({ db: { createClient, onMigrate } })\`).`,
		{ metadata: all },
	),
	"database.closed": closed("database is closed"),
	"database.statement_refused": closed(
		(d: { statement: string; reason: string }) => `${d.statement} is refused: ${d.reason}.`,
		{ metadata: all },
	),
	"database.invalid_statement": closed(
		(d: { reason: string }) => `Statement cannot be run: ${d.reason}.`,
		{ metadata: all },
	),
	"database.invalid_parameter": closed(
		(d: { parameter: number | string; reason: string }) =>
			`SQL parameter ${d.parameter}: ${d.reason}.`,
		{ metadata: all },
	),
	"database.too_many_rows": closed(
		(d: { limit: number }) =>
			`The result has more than ${d.limit} rows (\`actor({ options: { maxQueryRows: ... } })\`). Read large results with c.db.stream().`,
		{ metadata: all },
	),
	"database.result_too_large": closed(
		(d: { limit: number }) =>
			`The result is larger than ${d.limit} bytes (\`actor({ options: { maxQueryBytes: ... } })\`). Read large results with c.db.stream().`,
		{ metadata: all },
	),
	"database.statement_timed_out": closed(
		(d: { limit: number }) =>
			`Reading the result took longer than ${d.limit} ms (\`actor({ options: { queryTimeout: ... } })\`).`,
		{ metadata: all },
	),
	"database.full": open(
		(d: { limit: number }) =>
			`Database of this actor is full. Limit is ${d.limit} bytes (\`actor({ options: { maxDatabaseSize: ... } })\`).`,
		{ metadata: all },
	),
	"database.commit_too_large": closed(
		(d: Size) =>
			sized(
				"Changes of the database since the last commit",
				d,
				" (`actor({ options: { maxDatabaseCommitSize: ... } })`); commit in smaller steps with c.saveState({ immediate: true })",
			),
		{ metadata: sizeAndLimit },
	),
	"database.nested_transaction": closed(
		(d: { operation: string }) =>
			`${d.operation} inside a transaction of the same database would wait for itself: use the transaction's own \`tx\` instead, and SAVEPOINT for a part that may be undone.`,
		{ metadata: all },
	),
	"database.transaction_timed_out": closed(
		(d: { limit: number }) =>
			`The transaction was open for more than ${d.limit} ms and was rolled back (\`c.db.transaction(work, { timeout })\`).`,
		{ metadata: all },
	),
	"database.transaction_over": closed(
		"The transaction is over: await everything inside it before its function returns.",
	),
	"database.rolled_back": closed(
		(d: { reason: string }) =>
			`The database was rolled back to its last committed content: ${d.reason}`,
		{ metadata: all },
	),
	"database.damaged": closed(
		(d: { reason: string }) => `The stored database is damaged: ${d.reason}.`,
		{
			metadata: all,
		},
	),
	"database.busy": closed(
		(d: { limit: number }) =>
			`${d.limit} calls already wait for a transaction of this actor's database to end.`,
		{ metadata: all },
	),
	"database.too_many_streams": closed(
		(d: { limit: number }) =>
			`${d.limit} streams of this actor's database are already open. End them (\`break\` out of the loop, or \`return()\`) before opening more.`,
		{ metadata: all },
	),
	"database.stream_timed_out": closed(
		(d: { limit: number }) =>
			`The stream was not read for ${d.limit} ms and was closed (\`actor({ options: { queryTimeout: ... } })\`).`,
		{ metadata: all },
	),
	"database.migration_changed": closed(
		(d: { migration: string }) =>
			`Migration ${d.migration} was applied with other content than it has now. Write a new migration instead of changing an old one.`,
		{ metadata: all },
	),
	"database.migration_failed": closed(
		(d: { migration: string; reason: string }) =>
			`Migration ${d.migration} failed and was rolled back: ${d.reason}`,
		{ metadata: all },
	),
	"driver.websockets_not_enabled": open("WebSockets are not enabled for this driver"),
	"proxy.error": open(
		(d: { operation: string; cause: string }) =>
			`Error proxying ${d.operation}, this is likely an internal error: ${d.cause}`,
	),
	"config.endpoint_mismatch": open(
		(d: { expected: string; received: string }) =>
			`Endpoint mismatch: expected "${d.expected}", received "${d.received}"`,
		{ metadata: all },
	),
	"config.namespace_mismatch": open(
		(d: { expected: string; received: string }) =>
			`Namespace mismatch: expected "${d.expected}", received "${d.received}"`,
		{ metadata: all },
	),
	"inspector.unauthorized": open(
		(d: { token: "missing" | "wrong" | "unset" }) => INSPECTOR_TOKEN_PROBLEMS[d.token],
		{ status: 401 },
	),
	"inspector.state_changed": open(
		"The state is not what the caller has seen (`If-Match`): somebody has changed it meanwhile. Nothing was written; read it again.",
		{ status: 412 },
	),
	"inspector.too_deep": open(
		"The answer is nested deeper than CBOR may be. It can be given in JSON: `Accept: application/json`.",
		{ status: 406 },
	),
	"inspector.too_many_streams": open<{ limit: number }>(
		({ limit }) => `At most ${limit} streams of one actor at a time.`,
		{ status: 429, metadata: all },
	),

	"transfer.invalid_file": open(
		(d: { reason: string }) => `The file cannot be imported: ${d.reason}`,
		{ metadata: all },
	),
	"transfer.newer_file": open(
		(d: { what: string; version: number; known: number }) =>
			`The file was exported by a newer RivetKit: its ${d.what} is ${d.version}, this server knows ${d.known}. Import it with that version`,
		{ metadata: all },
	),
	"transfer.too_many": open(
		(d: { limit: number }) =>
			`${d.limit} actors are being exported already. Try again later.${raisedBy("exportsAtOnceMax")}`,
		{ status: 429, metadata: all },
	),

	"api.bad_request": open((d: { reason: string }) => `Bad request: ${d.reason}`, { metadata: all }),
	"api.unauthorized": open("Unauthorized", { status: 401 }),
	"api.forbidden": open("Forbidden", { status: 403 }),
	"api.not_found": open("Not found", { status: 404 }),
	"core.internal_error": open(INTERNAL_ERROR_DESCRIPTION, { status: 500 }),
	"namespace.not_found": open("Namespace not found."),
	"namespace.name_not_unique": open("A namespace with this name exists."),
	"namespace.failed_to_create": open(
		(d: { reason: string }) => `Namespace cannot be created: ${d.reason}`,
		{ metadata: all },
	),
	"datacenter.not_found": open("Datacenter not found."),
	"validation.invalid_input": open((d: { message: string }) => d.message),
	"validation.too_many_actor_ids": open(
		(d: { count: number; max: number }) =>
			`Too many actor IDs. Maximum is ${d.max}, got ${d.count}.`,
		{ metadata: all },
	),
	"runner_config.invalid": open((d: { reason: string }) => `Invalid runner config: ${d.reason}`, {
		metadata: all,
	}),
	"runner_config.not_found": open("Runner config not found."),

	"guard.no_route": open("No route for this target.", { status: 404 }),
	"guard.missing_header": open((d: { header: string }) => `Missing header ${d.header}`, {
		metadata: all,
	}),
	"guard.invalid_header": open((d: { header: string }) => `Invalid header ${d.header}`, {
		metadata: all,
	}),
	"guard.websocket_not_supported": open("WebSockets are not supported here."),
	"guard.rate_limit": open("Too many requests.", { status: 429 }),
	"guard.invalid_request_body": open(
		(d: { limit: number; option?: "httpBodyBytesMax" | "apiBodyBytesMax" | null }) =>
			`Request body too large. Limit is ${d.limit} bytes.${d.option === null ? "" : raisedBy(d.option ?? "httpBodyBytesMax")}`,
		{ status: 413, metadata: ({ limit }) => ({ limit }) },
	),
	"guard.request_body_too_large": open(
		(d: { limit: number }) => `Request body too large. Limit is ${d.limit} bytes.`,
		{ metadata: all },
	),
	"guard.invalid_response_body": open(
		"The actor's host sent a response that cannot be passed on.",
		{
			status: 502,
		},
	),
	"guard.upstream_error": open((d: { cause: string }) => `Upstream failed: ${d.cause}`, {
		status: 502,
	}),
	"guard.retry_attempts_exceeded": open(
		(d: { attempts: number }) => `The request failed in all ${d.attempts} attempts.`,
		{ status: 502, metadata: all },
	),
	"guard.service_unavailable": open("Service unavailable.", { status: 503 }),
	"guard.actor_ready_timeout": open(
		(d: { actor_id: string }) => `Actor did not get ready in time: ${d.actor_id}`,
		{ status: 503, metadata: all },
	),
	"guard.actor_runner_failed": open(
		(d: { actor_id: string }) => `The actor's runner failed: ${d.actor_id}`,
		{ status: 503, metadata: all },
	),
	"guard.actor_stopped_while_waiting": open("Actor stopped before it answered.", { status: 503 }),
	"guard.actor_wake_retries_exceeded": open(
		(d: { actor_id: string }) => `Actor stopped again each time it was woken: ${d.actor_id}`,
		{ status: 503, metadata: all },
	),
	"guard.tunnel_request_aborted": open("The actor's host aborted the request.", { status: 503 }),
	"guard.tunnel_response_closed": open("The actor's host went away before it answered.", {
		status: 503,
	}),
	"guard.tunnel_backlog_full": open(
		(d: { bytes: number; messages: number }) =>
			"Too much waits for the actor's runner to come back. " +
			`Limits are ${d.bytes} bytes (\`tunnelBacklogBytesMax\`) and ${d.messages} messages (\`tunnelBacklogMessagesMax\`).`,
		{ status: 503, metadata: all },
	),
	"guard.tunnel_message_timeout": open("The actor's host did not answer in time.", { status: 504 }),
	"guard.request_timeout": open("The request took too long.", { status: 504 }),
	"guard.gateway_response_start_timeout": open("The actor did not start to answer in time.", {
		status: 504,
	}),
	"guard.websocket_tunnel_ping_timeout": open("The actor's host stopped answering pings."),
	"guard.websocket_pending_limit_reached": open(
		"Too much is waiting for a sleeping actor on this WebSocket.",
	),
	"guard.must_use_regional_host": open(
		(d: { host: string; datacenter: string; valid_hosts: string }) =>
			`Host ${d.host} is not one of datacenter ${d.datacenter}: ${d.valid_hosts}`,
		{ metadata: all },
	),
	"guard.query_invalid_params": open(
		(d: { detail: string }) => `Invalid query parameters: ${d.detail}`,
		{ metadata: all },
	),
	"guard.query_duplicate_param": open(
		(d: { name: string }) => `Parameter ${d.name} is given twice`,
		{
			metadata: all,
		},
	),
	"guard.query_path_token_syntax": open("Query paths take the token in rvt-token, not behind @"),
	"guard.query_empty_actor_name": open("The actor name is empty"),
	"guard.query_invalid_percent_encoding": open(
		(d: { name: string }) => `Invalid percent-encoding in ${d.name}`,
		{ metadata: all },
	),
	"guard.query_get_disallowed_params": open(
		(d: { parameters: string }) => `${d.parameters} cannot be used with method get`,
	),
	"guard.query_missing_pool": open("rvt-pool is required for method getOrCreate"),
	"guard.query_invalid_base64_input": open("rvt-input is not base64url without padding"),
	"guard.query_invalid_cbor_input": open(
		(d: { reason: string }) => `rvt-input is not CBOR: ${d.reason}`,
	),

	"ws.connection_closed": open("The WebSocket was closed."),
	"ws.eviction": open("The WebSocket was closed in favour of a newer one."),
	"ws.downstream_closed": open("The client's WebSocket went away."),
};

/** What to set, and how to send it. */
const INSPECTOR_TOKEN_PROBLEMS = {
	unset:
		"This server has no inspector token, and without one is open in development only, to programs on its own machine. Set RIVET_INSPECTOR_TOKEN where it runs, or `setup({ inspector: { token } })`, and send that as `Authorization: Bearer <token>`.",
	missing:
		"The inspector of this server wants a token: its RIVET_INSPECTOR_TOKEN, or what `setup({ inspector: { token } })` returns there, as `Authorization: Bearer <token>`.",
	wrong:
		"This token does not open the inspector of this server: it wants its RIVET_INSPECTOR_TOKEN, or what `setup({ inspector: { token } })` returns there.",
} as const;

function lengths({ size, limit }: Partial<Size>): string {
	if (limit === undefined) return "";
	return size === undefined ? ` (limit ${limit} bytes)` : ` (${size} bytes, limit ${limit})`;
}

/** `group.code` of every row. */
export type CatalogueCode = keyof typeof CATALOGUE;

/** What the text and metadata of one row are made of. */
export type CatalogueDetails<C extends CatalogueCode> =
	(typeof CATALOGUE)[C] extends CatalogueRow<infer D> ? D : never;

type DetailsArguments<D> = Record<never, never> extends D ? [details?: D] : [details: D];

/** The error of one row: `catalogueError("queue.full", { limit: 1000 })`. */
export function catalogueError<C extends CatalogueCode>(
	name: C,
	...[details, options]: [...DetailsArguments<CatalogueDetails<C>>, options?: { cause: unknown }]
): RivetError {
	const { message, metadata, ...row } = CATALOGUE[name] as CatalogueRow<object>;
	const given = details ?? {};
	countLimitHit(name);
	const [group, code] = name.split(".") as [string, string];
	const made = metadata?.(given);
	return new RivetError(group, code, message(given), {
		public: row.public,
		statusCode: row.statusCode,
		...(made === undefined ? {} : { metadata: made }),
		...options,
	});
}
