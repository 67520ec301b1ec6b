import { type ConfigIssue, configError, describeValue } from "../config/config-error.ts";
import { unknownKey } from "../config/unknown-key.ts";
import { validateActions } from "./validate-actions.ts";
import { validateEvents, validateQueues } from "./validate-declarations.ts";
import { validateOptions } from "./validate-options.ts";

/** Every hook, with how it is written. */
const HOOKS: Readonly<Record<string, string>> = {
	createState: "createState: (c, input) => ({ count: 0 })",
	createConnState: "createConnState: (c, params) => ({ userId: params.userId })",
	createVars: "createVars: (c) => ({ emitter: new EventTarget() })",
	onMigrate: 'onMigrate: async (c, isNew) => { await c.db.execute("…") }',
	onCreate: "onCreate: (c, input) => { … }",
	onWake: "onWake: (c) => { … }",
	onSleep: "onSleep: (c) => { … }",
	onDestroy: "onDestroy: (c) => { … }",
	onStateChange: "onStateChange: (c, newState) => { … }",
	onBeforeConnect: "onBeforeConnect: (c, params) => { … }",
	onConnect: "onConnect: (c, conn) => { … }",
	onDisconnect: "onDisconnect: (c, conn) => { … }",
	onRequest: 'onRequest: (c, request) => new Response("ok")',
	onWebSocket: "onWebSocket: (c, socket) => { … }",
	onBeforeActionResponse: "onBeforeActionResponse: (c, name, args, output) => output",
};

/** Initial values that are copied, with the form for values that cannot be. */
const COPIED: Readonly<Record<string, string>> = {
	state: "createState",
	connState: "createConnState",
	vars: "createVars",
};

const OTHERS = ["types", "options", "db", "events", "queues", "actions", "run"];

const PROPERTIES: readonly string[] = [...Object.keys(COPIED), ...Object.keys(HOOKS), ...OTHERS];

/** Names from other versions and other frameworks. */
const ALIASES: Readonly<Record<string, string>> = {
	onStart: "onWake",
	onInit: "onCreate",
	onStop: "onSleep",
	onAuth: "onBeforeConnect",
	onFetch: "onRequest",
	onWebsocket: "onWebSocket",
	database: "db",
	createConnectionState: "createConnState",
	connectionState: "connState",
};

/** Throws a `ZodError` with everything that is wrong (api 3.2). */
export function validateActorConfig(config: unknown): void {
	const issues = [...issuesOf(config)];
	if (issues.length > 0) throw configError("Invalid actor config", issues);
}

function* issuesOf(config: unknown): Generator<ConfigIssue> {
	if (!isObject(config)) {
		yield {
			path: [],
			code: "invalid_type",
			message: `expected an object, found ${describeValue(config)}, for example actor({ state: { count: 0 }, actions: { … } })`,
		};
		return;
	}
	for (const property of Object.keys(config)) {
		if (!PROPERTIES.includes(property)) {
			yield unknownKey([property], property, PROPERTIES, ALIASES);
		}
	}
	for (const [hook, example] of Object.entries(HOOKS)) {
		const value = config[hook];
		if (value !== undefined && typeof value !== "function") {
			yield {
				path: [hook],
				code: "invalid_type",
				message: `expected a function, found ${describeValue(value)}, for example ${example}`,
			};
		}
	}
	yield* validateCopied(config);
	yield* validateRun(config.run);
	yield* validateDatabase(config.db);
	yield* validateOptions(config.options);
	yield* validateActions(config.actions);
	yield* validateEvents(config.events);
	yield* validateQueues(config.queues);
}

function* validateCopied(config: Record<string, unknown>): Generator<ConfigIssue> {
	for (const [property, producer] of Object.entries(COPIED)) {
		// With both forms the function wins and the static value only helps typing.
		if (config[property] === undefined || config[producer] !== undefined) continue;
		try {
			structuredClone(config[property]);
		} catch (error) {
			yield {
				path: [property],
				message: `expected a value that can be copied (structuredClone): ${(error as Error).message}. Use ${producer} to make a new one each time`,
			};
		}
	}
}

function* validateRun(run: unknown): Generator<ConfigIssue> {
	if (run === undefined || typeof run === "function") return;
	const example = "for example run: async (c) => { … }";
	if (!isObject(run)) {
		yield {
			path: ["run"],
			code: "invalid_type",
			message: `expected a function or { run: function }, found ${describeValue(run)}, ${example}`,
		};
		return;
	}
	if (typeof run.run !== "function") {
		yield {
			path: ["run", "run"],
			code: "invalid_type",
			message: `expected a function, found ${describeValue(run.run)}, ${example}`,
		};
	}
	const known = ["name", "icon", "run", "inspector"];
	for (const key of Object.keys(run)) {
		if (!known.includes(key)) yield unknownKey(["run", key], key, known);
	}
}

function* validateDatabase(db: unknown): Generator<ConfigIssue> {
	if (db === undefined) return;
	if (!isObject(db) || typeof db.createClient !== "function") {
		yield {
			path: ["db"],
			code: "invalid_type",
			message: `expected a database provider with createClient, found ${describeValue(db)}, for example db: db() of "rivetkit/db"`,
		};
	}
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
