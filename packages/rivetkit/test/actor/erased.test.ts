import type { StandardSchemaV1 } from "@standard-schema/spec";
import { actor, event, queue } from "rivetkit";
import { workflow } from "rivetkit/workflow";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
	erasedConfig,
	eventDeclaration,
	findAction,
	queueDeclaration,
} from "../../src/actor/erased.ts";

describe("the compiled definition", () => {
	it("is made once per definition", () => {
		const definition = actor({ state: 1 });
		expect(erasedConfig(definition)).toBe(erasedConfig(definition));
		// Another copy of the package has another class but the same config.
		expect(erasedConfig({ config: definition.config })).toBe(erasedConfig(definition));
	});

	it("knows which of state, connection state and vars there are", () => {
		expect(erasedConfig(actor({}))).toMatchObject({
			hasState: false,
			hasConnState: false,
			hasVars: false,
		});
		expect(
			erasedConfig(actor({ state: undefined, createConnState: () => 1, vars: null })),
		).toMatchObject({ hasState: false, hasConnState: true, hasVars: true });
	});

	it("finds actions by their name on the wire, never members of prototypes (A36)", () => {
		const add = () => "added";
		const config = erasedConfig(actor({ actions: { plain: add, users: { add, roles: { add } } } }));
		expect([...config.actions.keys()]).toEqual(["plain", "users.add", "users.roles.add"]);
		expect(findAction(config, "users.add")?.handler).toBe(add);
		for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty", "users", ""]) {
			expect(findAction(config, name)).toBeUndefined();
			expect(eventDeclaration(config, name)).toBeUndefined();
			expect(queueDeclaration(config, name)).toBeUndefined();
		}
	});

	it("takes own actions that are called like members of prototypes", () => {
		const own = () => 1;
		const config = erasedConfig(actor({ actions: { toString: own, ["__proto__"]: own } }));
		expect(findAction(config, "toString")?.handler).toBe(own);
		expect(findAction(config, "__proto__")?.handler).toBe(own);
	});

	it("takes actions from a module namespace", () => {
		const module = Object.assign(Object.create(null), { add: () => 1 });
		const config = erasedConfig(actor({ actions: { math: module } }));
		expect(findAction(config, "math.add")).toBeDefined();
	});

	it("tells a validated action from a nested map with the same keys", () => {
		const input = () => 1;
		const handler = () => 2;
		const config = erasedConfig(actor({ actions: { nested: { input, handler } as never } }));
		expect(findAction(config, "nested")).toBeUndefined();
		expect(findAction(config, "nested.input")?.handler).toBe(input);
		expect(findAction(config, "nested.handler")?.handler).toBe(handler);
	});

	it("validates one argument with a schema, and a list with a list of schemas", async () => {
		const schema = z.object({ n: z.coerce.number() });
		const config = erasedConfig(
			actor({
				actions: {
					one: { input: schema, handler: () => {} },
					list: { input: [z.string(), z.coerce.number()], handler: () => {} },
					none: { input: [], handler: () => {} },
				},
			}),
		);
		expect(findAction(config, "one")).toMatchObject({ inputSchema: schema, inputIsList: false });
		const list = findAction(config, "list")!;
		expect(list.inputIsList).toBe(true);
		const validate = (args: unknown) => list.inputSchema!["~standard"].validate(args);
		expect(validate(["a", "1"])).toEqual({ value: ["a", 1] });
		expect(validate(["a", "1", "dropped"])).toEqual({ value: ["a", 1] });
		expect(validate([1, "x"])).toMatchObject({ issues: [{ path: [0] }, { path: [1] }] });
		expect(validate(["a"])).toMatchObject({ issues: [{ path: [1] }] });
		expect(validate("no list")).toMatchObject({
			issues: [{ message: "Expected a list of arguments" }],
		});
		expect(findAction(config, "none")!.inputSchema!["~standard"].validate([1])).toEqual({
			value: [],
		});
	});

	it("waits for asynchronous schemas in a list", async () => {
		const slow: StandardSchemaV1<unknown, string> = {
			"~standard": {
				version: 1,
				vendor: "test",
				validate: async (value) =>
					value === "good" ? { value } : { issues: [{ message: "bad", path: ["x"] }] },
			},
		};
		const config = erasedConfig(
			actor({ actions: { a: { input: [z.number(), slow], handler: () => {} } } }),
		);
		const validate = findAction(config, "a")!.inputSchema!["~standard"].validate;
		await expect(validate([1, "good"])).resolves.toEqual({ value: [1, "good"] });
		await expect(validate([1, "evil"])).resolves.toEqual({
			issues: [{ message: "bad", path: [1, "x"] }],
		});
	});

	it("reads every form of an event declaration", () => {
		const schema = z.string();
		const canSubscribe = () => true;
		const config = erasedConfig(
			actor({
				events: {
					token: event<string>(),
					tokenWithSchema: event({ schema, canSubscribe }),
					schema,
					object: { schema, canSubscribe },
					objectWithToken: { schema: event({ schema, canSubscribe }) },
				},
			}),
		);
		expect(eventDeclaration(config, "token")).toEqual({});
		expect(eventDeclaration(config, "tokenWithSchema")).toEqual({ schema, canSubscribe });
		expect(eventDeclaration(config, "schema")).toEqual({ schema });
		expect(eventDeclaration(config, "object")).toEqual({ schema, canSubscribe });
		expect(eventDeclaration(config, "objectWithToken")).toEqual({ schema, canSubscribe });
	});

	it("reads every form of a queue declaration", () => {
		const message = z.string();
		const complete = z.number();
		const canPublish = () => true;
		const config = erasedConfig(
			actor({
				queues: {
					token: queue<string>(),
					tokenWithSchemas: queue({ message, complete, canPublish }),
					schema: message,
					object: { message, complete, canPublish },
					limited: queue<string>({
						maxSize: 5,
						maxAttempts: 2,
						retryDelay: 10,
						deadLetter: "token",
					}),
					growing: queue<string>({ retryDelay: { initial: 10, max: 100 } }),
				},
			}),
		);
		expect(queueDeclaration(config, "token")).toEqual({});
		expect(queueDeclaration(config, "tokenWithSchemas")).toEqual({ message, complete, canPublish });
		expect(queueDeclaration(config, "schema")).toEqual({ message });
		expect(queueDeclaration(config, "object")).toEqual({ message, complete, canPublish });
		expect(queueDeclaration(config, "limited")).toEqual({
			maxSize: 5,
			maxAttempts: 2,
			retryDelay: { initialMs: 10, maxMs: 10 },
			deadLetter: "token",
		});
		expect(queueDeclaration(config, "growing")).toEqual({
			retryDelay: { initialMs: 10, maxMs: 100 },
		});
	});

	it("shows the name and icon of the options first, then those of run (A5)", () => {
		const run = { name: "Worker", icon: "gear", run: () => {} };
		expect(erasedConfig(actor({ run })).display).toEqual({ name: "Worker", icon: "gear" });
		expect(erasedConfig(actor({ run, options: { name: "Shop" } })).display).toEqual({
			name: "Shop",
			icon: "gear",
		});
		expect(erasedConfig(actor({ run: workflow(async () => {}) })).display).toEqual({
			name: undefined,
			icon: "diagram-project",
		});
		const tagged = Object.assign(async () => {}, {
			[Symbol.for("rivetkit.run_function_config")]: { name: "Tagged", icon: "tag" },
		});
		expect(erasedConfig(actor({ run: tagged })).display).toEqual({ name: "Tagged", icon: "tag" });
		expect(erasedConfig(actor({ run: tagged })).run?.handler).toBe(tagged);
	});

	it("has the engine of a workflow, also of one in a config; it is no function to be called", async () => {
		const run = workflow(async () => {});
		const config = erasedConfig(actor({ run }));
		expect(config.run?.durable).toBeTypeOf("function");
		const named = erasedConfig(actor({ run: { name: "Orders", run } }));
		expect(named.run?.durable).toBe(config.run?.durable);
		expect(named.display).toEqual({ name: "Orders", icon: "diagram-project" });
		expect(erasedConfig(actor({ run: async () => {} })).run).not.toHaveProperty("durable");
		await expect(config.run?.handler({})).rejects.toThrow("runs as the `run` of an actor");
	});
});
