import { actor, event, queue } from "rivetkit";
import { describe, expect, it } from "vitest";
import { z } from "zod";

/** Everything `actor()` said about a config that the compiler would not let through. */
function issuesOf(config: unknown): { path: string; message: string }[] {
	try {
		actor(config as Parameters<typeof actor>[0]);
	} catch (error) {
		expect(error).toBeInstanceOf(z.ZodError);
		expect((error as Error).name).toBe("ZodError");
		return (error as z.ZodError).issues.map(({ path, message }) => ({
			path: path.map(String).join("."),
			message,
		}));
	}
	return [];
}

describe("actor() (A3)", () => {
	it("takes an empty config and one without actions", () => {
		expect(actor({}).config.actions).toEqual({});
		expect(actor({ state: { count: 0 } }).config.state).toEqual({ count: 0 });
	});

	it("takes every property of the contract", () => {
		const hook = () => {};
		const definition = actor({
			state: 1,
			createState: () => 2,
			connState: 1,
			createConnState: () => 2,
			vars: 1,
			createVars: () => 2,
			db: { createClient: async () => 1, onMigrate: hook },
			events: { a: event() },
			queues: { a: queue() },
			actions: { a: hook },
			run: hook,
			onCreate: hook,
			onWake: hook,
			onSleep: hook,
			onDestroy: hook,
			onStateChange: hook,
			onBeforeConnect: hook,
			onConnect: hook,
			onDisconnect: hook,
			onRequest: () => new Response(),
			onWebSocket: hook,
			onBeforeActionResponse: (_c, _name, _args, output) => output,
			onMigrate: hook,
			options: {},
			types: {},
		});
		expect(Object.isFrozen(definition.config)).toBe(true);
		expect(definition.config).not.toHaveProperty("types");
	});

	it.each([[undefined], [null], [1], ["counter"], [[]]])(
		"refuses %o instead of a config",
		(value) => {
			expect(issuesOf(value)).toMatchObject([{ path: "", message: /expected an object, found/ }]);
		},
	);

	it.each([
		["onStart", "onWake"],
		["onAuth", "onBeforeConnect"],
		["onFetch", "onRequest"],
		["onWebsocket", "onWebSocket"],
		["onDisconect", "onDisconnect"],
		["createSate", "createState"],
		["database", "db"],
		["action", "actions"],
	])("suggests the nearest property for %s: %s", (written, meant) => {
		expect(issuesOf({ [written]: () => {} })).toEqual([
			{ path: written, message: `unknown property "${written}"; did you mean "${meant}"?` },
		]);
	});

	it("lists the known properties when none is near", () => {
		const [issue] = issuesOf({ zzzzzzzz: 1 });
		expect(issue?.message).toMatch(/^unknown property "zzzzzzzz"; known ones are state, /);
	});

	it("does not take members of the prototype for properties", () => {
		expect(issuesOf({ constructor: () => {} })).toHaveLength(1);
		expect(issuesOf({ toString: () => {} })).toHaveLength(1);
		expect(issuesOf({ options: { hasOwnProperty: 1 } })).toHaveLength(1);
	});

	it("suggests the nearest option", () => {
		expect(issuesOf({ options: { actionTimout: 1_000 } })).toEqual([
			{
				path: "options.actionTimout",
				message: 'unknown property "actionTimout"; did you mean "actionTimeout"?',
			},
		]);
	});

	it.each([
		[
			"onWake",
			"hello",
			'expected a function, found string "hello", for example onWake: (c) => { … }',
		],
		["createState", { count: 0 }, /expected a function, found object/],
		["onRequest", null, /expected a function, found null/],
		["run", 5, /expected a function or { run: function }, found number 5/],
		["db", {}, /expected a database provider with createClient, found object/],
		["options", true, /expected an object, found boolean true/],
		["actions", [() => {}], /expected an object of functions, found array/],
		["events", "news", /expected an object of declarations, found string "news"/],
		["queues", 1, /expected an object of declarations, found number 1/],
	])("names property, expectation and finding for %s", (property, value, message) => {
		expect(issuesOf({ [property]: value })).toEqual([
			{
				path: property,
				message: typeof message === "string" ? message : expect.stringMatching(message),
			},
		]);
	});

	it("reports everything at once, in one readable message", () => {
		expect(() =>
			actor({ onStart: 1, options: { sleepTimeout: -1 }, actions: { a: 1 } } as never),
		).toThrow(
			[
				"Invalid actor config:",
				'- onStart: unknown property "onStart"; did you mean "onWake"?',
				"- options.sleepTimeout: expected a number of milliseconds that is finite and greater than 0, found number -1, for example sleepTimeout: 30000",
				"- actions.a: expected a function, { input: schema, handler: function }, or an object of actions, found number 1, for example increment: (c, amount: number) => { … }",
			].join("\n"),
		);
	});

	it("checks run written as an object", () => {
		expect(issuesOf({ run: { run: () => {}, name: "n", icon: "i", inspector: {} } })).toEqual([]);
		expect(issuesOf({ run: { run: "no", nam: "x" } })).toMatchObject([
			{ path: "run.run", message: /expected a function, found string "no"/ },
			{ path: "run.nam", message: /did you mean "name"/ },
		]);
	});

	it("refuses initial values that cannot be copied, and names the form that can", () => {
		expect(issuesOf({ state: { log: () => {} } })).toMatchObject([
			{ path: "state", message: /expected a value that can be copied.*Use createState/ },
		]);
		expect(issuesOf({ vars: { emitter: new WeakMap() } })).toMatchObject([
			{ path: "vars", message: /Use createVars/ },
		]);
		// With both forms the value only helps typing.
		expect(issuesOf({ vars: { emitter: () => {} }, createVars: () => ({}) })).toEqual([]);
	});

	it("names the path of a nested action that is wrong", () => {
		expect(issuesOf({ actions: { users: { add: "later" } } })).toMatchObject([
			{ path: "actions.users.add", message: /expected a function, .* found string "later"/ },
		]);
		expect(issuesOf({ actions: { a: null, b: undefined, c: new Map() } })).toHaveLength(3);
	});

	it("refuses two actions with one name on the wire", () => {
		const action = () => {};
		expect(issuesOf({ actions: { "users.add": action, users: { add: action } } })).toEqual([
			{
				path: "actions.users.add",
				message: 'is called "users.add" like actions.users.add; rename one',
			},
		]);
	});

	it("refuses an action map that contains itself", () => {
		const actions: Record<string, unknown> = { ok: () => {} };
		actions.again = actions;
		expect(issuesOf({ actions })).toMatchObject([{ path: "actions.again" }]);
	});

	it("refuses declarations in the wrong place", () => {
		expect(issuesOf({ events: { jobs: queue() }, queues: { news: event() } })).toMatchObject([
			{ path: "events.jobs", message: /found queue\(\); queues are declared under `queues`/ },
			{ path: "queues.news", message: /found event\(\); events are declared under `events`/ },
		]);
		expect(issuesOf({ events: { a: { message: z.string() }, b: 1, c: z.string() } })).toHaveLength(
			2,
		);
		expect(issuesOf({ queues: { a: { schema: z.string() }, b: z.string() } })).toHaveLength(1);
	});

	it("checks what is inside a declaration", () => {
		expect(
			issuesOf({
				events: { a: event({ canSubscribe: true } as never), b: event({ schema: {} } as never) },
				queues: {
					c: queue({ canPublish: "yes" } as never),
					d: queue({ maxSize: 0 }),
					e: { message: z.string(), complete: 1 },
					f: queue({ retryDelay: { initial: 1 } } as never),
					g: queue({ deadLetter: "nowhere" }),
				},
			}),
		).toMatchObject([
			{ path: "events.a.canSubscribe", message: /expected a function, found boolean true/ },
			{ path: "events.b.schema", message: /expected a schema, found object/ },
			{ path: "queues.c.canPublish" },
			{ path: "queues.d.maxSize" },
			{ path: "queues.e.complete" },
			{ path: "queues.f.retryDelay" },
			{ path: "queues.g.deadLetter", message: /no queue "nowhere"/ },
		]);
	});

	it("refuses dead letters that never come to rest", () => {
		const to = (deadLetter: string) => queue({ deadLetter });
		expect(
			issuesOf({
				queues: { a: to("b"), b: to("c"), c: to("b"), d: to("d"), e: to("f"), f: queue() },
			}),
		).toMatchObject([
			{ path: "queues.d.deadLetter", message: /its own dead-letter queue/ },
			{ path: "queues.b.deadLetter", message: /go round: b, c, b$/ },
		]);
	});
});
