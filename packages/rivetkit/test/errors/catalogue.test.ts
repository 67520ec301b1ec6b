import { CATALOGUE, catalogueError, RivetError } from "@rivetkit/protocol";
import { UserError } from "rivetkit";
import * as errors from "rivetkit/errors";
import { describe, expect, it } from "vitest";

// The contract's table (api 13.2): class, group.code, status, P = public; actor.not_found by ruling 8.
const TABLE = `
ActionNotFound action.not_found 400 P
ActionTimedOut action.timed_out 400 P
InvalidActionRequest action.invalid_request 400 P
ActorNotFound actor.not_found 404 P
ActorDuplicateKey actor.duplicate_key 400 P
ActorStopping actor.stopping 400 P
ActorAborted actor.aborted 400 P
InternalError actor.internal_error 500
Unreachable actor.internal_error 500
StateNotEnabled actor.state_not_enabled 500
ConnStateNotEnabled actor.conn_state_not_enabled 500
VarsNotEnabled actor.vars_not_enabled 500
DatabaseNotEnabled database.not_enabled 500
InvalidStateType state.invalid_type 500
Unsupported feature.unsupported 500
FeatureNotImplemented feature.not_implemented 501 P
RestrictedFeature feature.restricted 403 P
Forbidden auth.forbidden 403 P
InvalidParams params.invalid 400 P
InvalidEncoding encoding.invalid 400 P
IncomingMessageTooLong message.incoming_too_long 400 P
OutgoingMessageTooLong message.outgoing_too_long 400 P
MalformedMessage message.malformed 400 P
InvalidRequest request.invalid 400 P
InvalidQueryJSON request.invalid_query_json 400 P
MissingActorHeader request.missing_actor_header 400 P
RequestHandlerNotDefined handler.request_not_defined 404 P
WebSocketHandlerNotDefined handler.websocket_not_defined 404 P
InvalidRequestHandlerResponse handler.invalid_request_handler_response 500 P
InvalidCanSubscribeResponse handler.invalid_can_subscribe_response 500
InvalidCanPublishResponse handler.invalid_can_publish_response 500
EventPayloadInvalid event.invalid_payload 400 P
QueueFull queue.full 400 P
QueueMessageTooLarge queue.message_too_large 400 P
QueueMessageInvalid queue.message_invalid 400 P
QueuePayloadInvalid queue.invalid_payload 400 P
QueueCompletionPayloadInvalid queue.invalid_completion_payload 400 P
QueueAlreadyCompleted queue.already_completed 400 P
QueuePreviousMessageNotCompleted queue.previous_message_not_completed 400 P
QueueCompleteNotConfigured queue.complete_not_configured 400 P
ProxyError proxy.error 400 P
RouteNotFound route.not_found 404 P
WebSocketsNotEnabled driver.websockets_not_enabled 400 P
EndpointMismatch config.endpoint_mismatch 400 P
NamespaceMismatch config.namespace_mismatch 400 P`
	.trim()
	.split("\n")
	.map((line) => {
		const [name, row, status, flag] = line.split(" ");
		return { name: name!, row: row!, status: Number(status), isPublic: flag === "P" };
	});

/** Details that every row's text can be made of. */
const DETAILS = {
	name: "n",
	key: ["k"],
	limit: 1,
	size: 2,
	issues: [],
	message: "m",
	feature: "f",
	detail: "d",
	value: "v",
	cause: "c",
	operation: "o",
	expected: "e",
	received: "r",
};

type AnyErrorClass = new (details?: unknown, options?: { cause: unknown }) => errors.ActorError;
const classes = errors as unknown as Record<string, AnyErrorClass>;

describe("rivetkit/errors (A28)", () => {
	it.each(TABLE)("$name is $row, $status, public: $isPublic", ({ name, row, status, isPublic }) => {
		const cause = new Error("why");
		const error = new classes[name]!(DETAILS, { cause });
		expect(`${error.group}.${error.code}`).toBe(row);
		expect(error).toMatchObject({
			__type: "ActorError",
			name,
			statusCode: status,
			public: isPublic,
			cause,
		});
		expect(error.message).not.toMatch(/(?<!null, |void\/)undefined/);
		expect(error).toBeInstanceOf(RivetError);
		expect(error).toBeInstanceOf(errors.ActorError);
		expect(error).toBeInstanceOf(classes[name]!);
	});

	it("exports the table, its bases and the constants, nothing else", () => {
		expect(Object.keys(errors).sort()).toEqual(
			[
				...TABLE.map(({ name }) => name),
				"ActorError",
				"INTERNAL_ERROR_CODE",
				"INTERNAL_ERROR_DESCRIPTION",
				"USER_ERROR_CODE",
				"UserError",
				"isRivetErrorCode",
			].sort(),
		);
		expect(errors.INTERNAL_ERROR_CODE).toBe("internal_error");
		expect(errors.USER_ERROR_CODE).toBe("user_error");
	});

	it("takes every row from the catalogue", () => {
		for (const { row } of TABLE) expect(CATALOGUE).toHaveProperty([row]);
	});

	it("recognises errors that the system raised by their fields", () => {
		const raised = catalogueError("queue.full", { limit: 3 });
		expect(raised).toBeInstanceOf(errors.QueueFull);
		expect(raised).toBeInstanceOf(errors.ActorError);
		expect(raised).not.toBeInstanceOf(errors.QueueMessageTooLarge);
		expect(raised).not.toBeInstanceOf(UserError);
		const foreign = { __type: "ActorError", group: "queue", code: "full", message: "full" };
		expect(foreign).toBeInstanceOf(errors.QueueFull);
		for (const other of [null, undefined, "queue.full", new Error("full"), { code: "full" }]) {
			expect(other).not.toBeInstanceOf(errors.QueueFull);
		}
	});

	it("leaves classes that users derive alone", () => {
		class NotFound extends UserError {}
		class MyQueueFull extends errors.QueueFull {}
		expect(new NotFound("x")).toBeInstanceOf(NotFound);
		expect(new NotFound("x")).toBeInstanceOf(UserError);
		expect(new UserError("x")).not.toBeInstanceOf(NotFound);
		expect(new errors.QueueFull({ limit: 1 })).not.toBeInstanceOf(MyQueueFull);
		expect(new MyQueueFull({ limit: 1 })).toBeInstanceOf(errors.QueueFull);
	});

	it("masks nothing and adds nothing on the base class", () => {
		const hidden = new errors.ActorError("a", "b", "text", { metadata: { x: 1 } });
		expect(hidden).toMatchObject({ statusCode: 500, public: false, metadata: { x: 1 } });
		expect(new errors.ActorError("a", "b", "text", { public: true }).statusCode).toBe(400);
		expect("cause" in hidden).toBe(false);
	});
});

describe("UserError (api 13.1)", () => {
	it("is public, with code, metadata and cause", () => {
		const cause = new Error("why");
		const error = new UserError("Too short", {
			code: "too_short",
			metadata: { min: 3 },
			cause,
		});
		expect(error).toMatchObject({
			__type: "ActorError",
			name: "UserError",
			group: "user",
			code: "too_short",
			message: "Too short",
			metadata: { min: 3 },
			statusCode: 400,
			public: true,
			cause,
		});
		expect(String(error)).toBe("Too short");
		expect(error.stack).toContain("catalogue.test");
	});

	it("has the code user_error when none is given", () => {
		const error = new UserError("no");
		expect(error.code).toBe("user_error");
		expect(error.metadata).toBeUndefined();
		expect("cause" in error).toBe(false);
	});
});

describe("isRivetErrorCode", () => {
	it("looks at group and code of whatever was thrown", () => {
		expect(errors.isRivetErrorCode(catalogueError("actor.aborted"), "actor", "aborted")).toBe(true);
		expect(errors.isRivetErrorCode(new UserError("x"), "user", "user_error")).toBe(true);
		expect(errors.isRivetErrorCode(new UserError("x"), "user", "other")).toBe(false);
		expect(errors.isRivetErrorCode("actor.aborted", "actor", "aborted")).toBe(false);
		expect(errors.isRivetErrorCode(null, "actor", "aborted")).toBe(false);
	});
});
