import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { invalidParams, invalidRequest, malformed } from "../src/errors/common.ts";
import {
	CATALOGUE,
	type CatalogueCode,
	catalogueError,
	INTERNAL_ERROR_CODE,
	INTERNAL_ERROR_DESCRIPTION,
	isActorError,
	parseEncoding,
	parseQueryGateway,
	RivetError,
	toWireError,
} from "../src/index.ts";

const MASKED = {
	group: "rivetkit",
	code: "internal_error",
	message: "Internal error. Read the server logs for more details.",
	metadata: {},
	statusCode: 500,
};

describe("RivetError", () => {
	it("has an address, a status by its visibility, and its cause", () => {
		const cause = new Error("why");
		const hidden = new RivetError("a", "b", "m", { cause });
		expect(hidden).toMatchObject({
			group: "a",
			code: "b",
			message: "m",
			public: false,
			statusCode: 500,
		});
		expect(hidden.cause).toBe(cause);
		expect(hidden.__type).toBe("ActorError");
		expect(hidden).toBeInstanceOf(Error);
		expect(new RivetError("a", "b", "m", { public: true }).statusCode).toBe(400);
		expect(new RivetError("a", "b", "m", { public: true, statusCode: 404 }).statusCode).toBe(404);
		expect("cause" in new RivetError("a", "b", "m")).toBe(false);
	});

	it("is recognised by its fields", () => {
		expect(isActorError(new RivetError("a", "b", "m"))).toBe(true);
		expect(isActorError({ __type: "ActorError", group: "a", code: "b", message: "m" })).toBe(true);
		for (const other of [
			null,
			undefined,
			1,
			"ActorError",
			{},
			new Error("x"),
			{ __type: "ActorError" },
		]) {
			expect(isActorError(other)).toBe(false);
		}
	});
});

describe("toWireError (6.1, ruling 15)", () => {
	const visible = new RivetError("user", "no", "text", {
		public: true,
		statusCode: 418,
		metadata: [1],
	});
	const hidden = new RivetError("queue", "odd", "inner", { metadata: { a: 1 }, statusCode: 503 });

	it.each([true, false])("public errors go out as they are (exposed: %s)", (expose) => {
		expect(toWireError(visible, { expose })).toEqual({
			group: "user",
			code: "no",
			message: "text",
			metadata: [1],
			statusCode: 418,
		});
	});

	it("private ones are masked, or shown with status 500 when exposed", () => {
		expect(toWireError(hidden, { expose: false })).toEqual(MASKED);
		expect(toWireError(hidden, { expose: true })).toEqual({
			group: "queue",
			code: "odd",
			message: "inner",
			metadata: { a: 1 },
			statusCode: 500,
		});
	});

	it("plain errors show at most their message", () => {
		const plain = Object.assign(new Error("secret"), { group: "g", code: "EIO", metadata: 1 });
		expect(toWireError(plain, { expose: false })).toEqual(MASKED);
		expect(toWireError(plain, { expose: true })).toEqual({
			...MASKED,
			message: "secret",
			metadata: undefined,
		});
	});

	it.each<[unknown, string]>([
		["text", "text"],
		[undefined, "undefined"],
		[null, "null"],
		[7n, "7"],
		[Symbol("s"), "Symbol(s)"],
		[{ message: "like an error" }, "like an error"],
	])("anything else can be thrown, too: %s (Q9)", (thrown, message) => {
		expect(toWireError(thrown, { expose: false })).toEqual(MASKED);
		expect(toWireError(thrown, { expose: true })).toMatchObject({ message, statusCode: 500 });
	});

	it("never throws, whatever the thrown value does", () => {
		const hostile = [
			Object.create(null),
			{
				toString: () => {
					throw new Error("no");
				},
			},
			{
				get __type() {
					throw new Error("no");
				},
			},
			new Proxy(
				{},
				{
					get: () => {
						throw new Error("no");
					},
					has: () => {
						throw new Error("no");
					},
				},
			),
		];
		for (const thrown of hostile) {
			expect(toWireError(thrown, { expose: true })).toEqual(MASKED);
			expect(toWireError(thrown, { expose: false })).toEqual(MASKED);
		}
	});

	it("errors of other copies of the package count", () => {
		const foreign = { __type: "ActorError", group: "g", code: "c", message: "m", public: true };
		expect(toWireError(foreign, { expose: false })).toMatchObject({ group: "g", statusCode: 400 });
		const odd = { ...foreign, statusCode: 42 };
		expect(toWireError(odd, { expose: false }).statusCode).toBe(400);
		expect(toWireError({ ...foreign, public: false }, { expose: false })).toEqual(MASKED);
	});

	it("what was received from another actor stays public, unless it was masked there", () => {
		const received = { __type: "ActorError", group: "user", code: "x", message: "m", metadata: 1 };
		expect(toWireError(received, { expose: false })).toMatchObject({ group: "user", metadata: 1 });
		const masked = { ...received, group: "rivetkit", code: INTERNAL_ERROR_CODE, message: "leak" };
		expect(toWireError(masked, { expose: false })).toEqual(MASKED);
	});
});

describe("the catalogue (6.2, api 13.2)", () => {
	/** group.code, public, status; as the contract's tables have them, with the rulings. */
	const rows = `
		rivetkit.internal_error no 500
		actor.internal_error no 500
		actor.not_found yes 404
		actor.duplicate_key yes 400
		actor.stopping yes 400
		actor.aborted yes 400
		actor.state_not_enabled no 500
		actor.conn_state_not_enabled no 500
		actor.vars_not_enabled no 500
		actor.workflow_in_flight yes 409
		action.not_found yes 400
		action.timed_out yes 400
		action.invalid_request yes 400
		encoding.invalid yes 400
		params.invalid yes 400
		message.incoming_too_long yes 400
		message.outgoing_too_long yes 400
		message.malformed yes 400
		request.invalid yes 400
		request.invalid_query_json yes 400
		request.missing_actor_header yes 400
		request.timed_out yes 504
		route.not_found yes 404
		auth.forbidden yes 403
		feature.restricted yes 403
		feature.not_implemented yes 501
		feature.unsupported no 500
		handler.request_not_defined yes 404
		handler.websocket_not_defined yes 404
		handler.invalid_request_handler_response yes 500
		handler.invalid_can_subscribe_response no 500
		handler.invalid_can_publish_response no 500
		event.invalid_payload yes 400
		event.name_too_long yes 400
		event.too_many_subscriptions yes 400
		queue.full yes 400
		queue.message_too_large yes 400
		queue.message_invalid yes 400
		queue.already_completed yes 400
		queue.previous_message_not_completed yes 400
		queue.invalid_payload yes 400
		queue.invalid_completion_payload yes 400
		queue.complete_not_configured yes 400
		state.invalid_type no 500
		state.too_large yes 400
		input.too_large yes 400
		schedule.full yes 400
		schedule.arguments_too_large yes 400
		database.not_enabled no 500
		database.closed no 500
		database.statement_refused no 500
		database.invalid_parameter no 500
		database.full yes 400
		driver.websockets_not_enabled yes 400
		proxy.error yes 400
		config.endpoint_mismatch yes 400
		config.namespace_mismatch yes 400
		guard.actor_ready_timeout yes 503
		guard.no_route yes 404
		guard.rate_limit yes 429
		guard.retry_attempts_exceeded yes 502
		guard.request_timeout yes 504
		guard.invalid_request_body yes 413
		api.not_found yes 404
		api.forbidden yes 403
		api.unauthorized yes 401
	`
		.trim()
		.split("\n")
		.map((line) => line.trim().split(" ") as [CatalogueCode, string, string]);

	it.each(rows)("%s is public: %s, with status %s", (name, isPublic, status) => {
		expect(CATALOGUE[name].public).toBe(isPublic === "yes");
		expect(CATALOGUE[name].statusCode).toBe(Number(status));
	});

	it("every row has a group, a code and a text", () => {
		const details = {
			identifier: "i",
			actorId: "a",
			name: "n",
			key: ["k"],
			message: "m",
			value: "v",
			detail: "d",
			cause: "c",
			feature: "f",
			issues: [],
			limit: 1,
			size: 2,
			path: "p",
			namespace: "ns",
			runner_name: "r",
			pool_name: "p",
			max_size: 1,
			key_preview: "k",
			datacenter_label: 1,
			timeoutMs: 5,
			operation: "o",
			option: "o",
			found: "f",
			queue: "q",
			expected: "e",
			received: "r",
			reason: "r",
			count: 3,
			max: 2,
			header: "h",
			attempts: 7,
			actor_id: "a",
			host: "h",
			datacenter: "d",
			valid_hosts: "v",
			parameters: "p",
			parameter: 1,
			runtime: "r",
			statement: "s",
			migration: "m",
			token: "missing",
		};
		for (const name of Object.keys(CATALOGUE) as CatalogueCode[]) {
			// Rows take different details; these are all of them at once.
			const error = catalogueError(name as "queue.full", details);
			expect(`${error.group}.${error.code}`).toBe(name);
			expect(name).toMatch(/^[a-z_]+\.[a-z0-9_]+$/);
			expect(error.message, name).not.toMatch(/[:'(] ?undefined|\[object|^$/);
		}
	});

	it("texts that peers know begin as they always did", () => {
		const texts: [RivetError, string][] = [
			[catalogueError("actor.not_found", { identifier: "chat:[]" }), "Actor not found: chat:[]"],
			[catalogueError("actor.not_found"), "Actor not found"],
			[
				catalogueError("actor.duplicate_key", { name: "n", key: ["a", "b"] }),
				`Actor already exists with name 'n' and key '["a","b"]'`,
			],
			[catalogueError("actor.stopping", { actorId: "i" }), "Actor stopping: i"],
			[
				catalogueError("action.not_found", { name: "x" }),
				"Action 'x' not found. Validate the action exists on your actor.",
			],
			[catalogueError("encoding.invalid", { value: "JSON" }), "Invalid encoding `JSON`."],
			[catalogueError("queue.full", { limit: 3 }), "Queue is full. Limit is 3 messages."],
			[
				catalogueError("queue.message_too_large", { size: 9, limit: 3 }),
				"Queue message too large (9 bytes). Limit is 3 bytes.",
			],
			[
				catalogueError("queue.message_invalid", { path: "a[1]" }),
				"Queue message body contains unsupported type at a[1].",
			],
			[catalogueError("queue.message_invalid"), "Queue message body contains unsupported type."],
			[catalogueError("rivetkit.internal_error"), INTERNAL_ERROR_DESCRIPTION],
			[
				catalogueError("request.missing_actor_header"),
				"Missing x-rivet-actor header when x-rivet-target=actor",
			],
		];
		// What follows says how to raise a limit.
		for (const [error, text] of texts) expect(error.message.slice(0, text.length)).toBe(text);
		expect(catalogueError("action.timed_out").message).toMatch(/^Action timed out/);
		expect(catalogueError("message.incoming_too_long", { size: 2, limit: 1 }).message).toMatch(
			/^Incoming message too long \(2 bytes, limit 1\)\. .*maxIncomingMessageSize/,
		);
		expect(catalogueError("message.incoming_too_long").message).toMatch(
			/^Incoming message too long\./,
		);
	});

	it("carries the metadata of its row, and the cause", () => {
		expect(catalogueError("queue.full", { limit: 3 }).metadata).toEqual({ limit: 3 });
		expect(catalogueError("event.invalid_payload", { name: "e", issues: [1] }).metadata).toEqual({
			name: "e",
			issues: [1],
		});
		expect(catalogueError("message.outgoing_too_long", { size: 2, limit: 1 }).metadata).toEqual({
			size: 2,
			limit: 1,
		});
		expect(catalogueError("message.outgoing_too_long").metadata).toBeUndefined();
		expect(catalogueError("queue.message_invalid").metadata).toBeUndefined();
		expect(catalogueError("rivetkit.internal_error").metadata).toEqual({});
		expect(catalogueError("actor.aborted", {}, { cause: "why" }).cause).toBe("why");
	});

	it("asks for the details of the row, and only then", () => {
		const make = catalogueError<"queue.full">;
		expectTypeOf(make).parameter(1).toEqualTypeOf<{ limit: number; queue?: string }>();
		// @ts-expect-error: the limit is missing
		catalogueError("queue.full", {});
		// @ts-expect-error: there is no such row
		expect(() => catalogueError("queue.nope")).toThrow();
		// @ts-expect-error: a detail of another row
		catalogueError("actor.stopping", { identifier: "x" });
	});

	it("errors raised without the table are those of the table", () => {
		const thrown = (run: () => unknown): RivetError => {
			try {
				run();
			} catch (error) {
				return error as RivetError;
			}
			throw new Error("nothing was thrown");
		};
		const query = (rest: string) => () =>
			parseQueryGateway(`/gateway/a?rvt-namespace=d&rvt-method=getOrCreate${rest}`);
		const pairs: [RivetError, RivetError][] = [
			[malformed("x"), catalogueError("message.malformed", { cause: "x" })],
			[invalidRequest("x"), catalogueError("request.invalid", { detail: "x" })],
			[invalidParams("x"), catalogueError("params.invalid", { detail: "x" })],
			[thrown(() => parseEncoding("x")), catalogueError("encoding.invalid", { value: "x" })],
			[thrown(query("")), catalogueError("guard.query_missing_pool")],
			[
				thrown(query("&rvt-x=")),
				catalogueError("guard.query_invalid_params", { detail: "unknown parameter 'rvt-x'" }),
			],
			[
				thrown(query("&rvt-key=%ZZ")),
				catalogueError("guard.query_invalid_percent_encoding", { name: "rvt-key" }),
			],
			[
				thrown(query("&rvt-key=&rvt-key=")),
				catalogueError("guard.query_duplicate_param", { name: "rvt-key" }),
			],
			[
				thrown(query("&rvt-pool=p&rvt-input=!")),
				catalogueError("guard.query_invalid_base64_input"),
			],
		];
		for (const [made, row] of pairs) {
			expect(toWireError(made, { expose: false })).toEqual(toWireError(row, { expose: false }));
		}
	});
});

describe("the stack of other errors", () => {
	const limit = Error.stackTraceLimit;
	afterEach(() => {
		Error.stackTraceLimit = limit;
	});
	it("is left alone", () => {
		Error.stackTraceLimit = 3;
		expect(new RivetError("a", "b", "m").stack).toContain("errors.test");
		expect(Error.stackTraceLimit).toBe(3);
	});
});
