import type { ActorNameMetadata } from "@rivetkit/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { compileActions } from "./compile-actions.ts";
import { compileEvents, compileQueues } from "./compile-declarations.ts";
import type { ActorOptions } from "./options.ts";

/** A hook or handler as the runtime calls it. */
export type ErasedFunction = (...args: never[]) => unknown;

/**
 * An action as the runtime calls it. When it has an `inputSchema`, that validates the first argument, or
 * (`inputIsList`) the whole argument list, and the handler gets what the schema returned.
 */
export interface ErasedAction {
	readonly handler: (c: unknown, ...args: readonly unknown[]) => unknown;
	readonly inputSchema?: StandardSchemaV1;
	readonly inputIsList: boolean;
}

/** A declared event. `schema` validates a payload as described in the contract (api 7). */
export interface ErasedEvent {
	readonly schema?: StandardSchemaV1;
	readonly canSubscribe?: (c: unknown) => unknown;
}

/** A declared queue. Absent limits mean "no limit of its own". */
export interface ErasedQueue {
	readonly message?: StandardSchemaV1;
	readonly complete?: StandardSchemaV1;
	readonly canPublish?: (c: unknown) => unknown;
	/** Messages this queue may hold; the actor's `maxQueueSize` applies as well. */
	readonly maxSize?: number;
	/** Deliveries before a message is given up. */
	readonly maxAttempts?: number;
	/** Delay before the next delivery of a message (ms): first delay, and what it at most doubles to. */
	readonly retryDelay?: { readonly initialMs: number; readonly maxMs: number };
	/** Queue of the same actor that given-up messages move to. */
	readonly deadLetter?: string;
}

/** `run`, with what it carries for the inspector. */
export interface ErasedRun {
	readonly handler: (c: unknown) => unknown;
	/** Adapter of a workflow's history; see `RunInspectorConfig`. */
	readonly inspector?: unknown;
	/** Makes what runs instead of the handler when this is a workflow: `runtime/durable/durable-run.ts`. */
	readonly durable?: (host: never) => unknown;
	/** Reads what that has stored, for inspectors: `runtime/durable/durable-view.ts`. */
	readonly durableView?: (stored: never) => unknown;
}

/** A database provider (api 11.3) with its types taken off. */
export interface ErasedDatabaseProvider {
	createClient(context: unknown): unknown;
	onMigrate?(client: unknown): unknown;
	onDestroy?(client: unknown): unknown;
}

/**
 * One actor definition as the runtime reads it: hooks as functions of unknown, declarations looked up by
 * own name only, options with their defaults. Made once per definition by {@link erasedConfig}.
 */
export interface ErasedActorConfig {
	/** The static initial state. Absent and `undefined` are the same; `createState` wins when both exist. */
	readonly state: unknown;
	readonly connState: unknown;
	readonly vars: unknown;
	/** Whether the actor has state (static or created); else `c.state` throws `actor.state_not_enabled`. */
	readonly hasState: boolean;
	readonly hasConnState: boolean;
	readonly hasVars: boolean;
	readonly createState?: (c: unknown, input: unknown) => unknown;
	readonly createConnState?: (c: unknown, params: unknown) => unknown;
	readonly createVars?: (c: unknown, driverContext: unknown) => unknown;
	readonly db?: ErasedDatabaseProvider;
	readonly onMigrate?: (c: unknown, isNew: boolean) => unknown;
	readonly onCreate?: (c: unknown, input: unknown) => unknown;
	readonly onWake?: (c: unknown) => unknown;
	readonly run?: ErasedRun;
	readonly onSleep?: (c: unknown) => unknown;
	readonly onDestroy?: (c: unknown) => unknown;
	readonly onStateChange?: (c: unknown, newState: unknown) => unknown;
	readonly onBeforeConnect?: (c: unknown, params: unknown) => unknown;
	readonly onConnect?: (c: unknown, conn: unknown) => unknown;
	readonly onDisconnect?: (c: unknown, conn: unknown) => unknown;
	readonly onRequest?: (c: unknown, request: Request) => unknown;
	readonly onWebSocket?: (c: unknown, socket: unknown) => unknown;
	readonly onBeforeActionResponse?: (
		c: unknown,
		name: string,
		args: readonly unknown[],
		output: unknown,
	) => unknown;
	/** By wire name (`users.add` for nested maps). */
	readonly actions: ReadonlyMap<string, ErasedAction>;
	readonly events: ReadonlyMap<string, ErasedEvent>;
	readonly queues: ReadonlyMap<string, ErasedQueue>;
	readonly options: ActorOptions;
	/** What inspectors and `/metadata` show: `options` first, then what `run` carries. */
	readonly display: { readonly name: string | undefined; readonly icon: string | undefined };
}

/** Own properties only; `undefined` for undeclared events. */
export function eventDeclaration(config: ErasedActorConfig, name: string): ErasedEvent | undefined {
	return config.events.get(name);
}

/** Own properties only; `undefined` for undeclared queues. */
export function queueDeclaration(config: ErasedActorConfig, name: string): ErasedQueue | undefined {
	return config.queues.get(name);
}

/** Whether a queue of the actor has this one for messages that were given up. */
export function isDeadLetterQueue({ queues }: ErasedActorConfig, name: string): boolean {
	for (const { deadLetter } of queues.values()) if (deadLetter === name) return true;
	return false;
}

/** Own properties only, so that `toString` or `constructor` are never actions (api A36). */
export function findAction(config: ErasedActorConfig, wireName: string): ErasedAction | undefined {
	return config.actions.get(wireName);
}

const compiled = new WeakMap<object, ErasedActorConfig>();

/** The erased form of a definition, of this or another copy of the package. */
export function erasedConfig(definition: { readonly config: object }): ErasedActorConfig {
	let config = compiled.get(definition.config);
	if (!config) {
		config = compile(definition.config as RawConfig);
		compiled.set(definition.config, config);
	}
	return config;
}

/** A validated config as `actor()` leaves it: options filled in, `run` as written. */
interface RawConfig {
	readonly options: ActorOptions;
	readonly run?: ErasedFunction | RawRunConfig | undefined;
	readonly actions?: object | undefined;
	readonly events?: object | undefined;
	readonly queues?: object | undefined;
	readonly [property: string]: unknown;
}

interface RawRunConfig {
	readonly name?: string | undefined;
	readonly icon?: string | undefined;
	readonly run: ErasedFunction;
	readonly inspector?: unknown;
	readonly durable?: (host: never) => unknown;
	readonly durableView?: (stored: never) => unknown;
}

/** The metadata a plain `run` function may carry (api 3.4). */
export const RUN_FUNCTION_CONFIG: unique symbol = Symbol.for(
	"rivetkit.run_function_config",
) as never;

const COPIED = [
	"state",
	"connState",
	"vars",
	"createState",
	"createConnState",
	"createVars",
	"db",
	"onMigrate",
	"onCreate",
	"onWake",
	"onSleep",
	"onDestroy",
	"onStateChange",
	"onBeforeConnect",
	"onConnect",
	"onDisconnect",
	"onRequest",
	"onWebSocket",
	"onBeforeActionResponse",
] as const;

function compile(raw: RawConfig): ErasedActorConfig {
	const copied: Record<string, unknown> = {};
	for (const property of COPIED) {
		if (raw[property] !== undefined) copied[property] = raw[property];
	}
	const run = runConfig(raw.run);
	return Object.freeze({
		state: undefined,
		connState: undefined,
		vars: undefined,
		...copied,
		hasState: raw.state !== undefined || raw.createState !== undefined,
		hasConnState: raw.connState !== undefined || raw.createConnState !== undefined,
		hasVars: raw.vars !== undefined || raw.createVars !== undefined,
		...(run
			? {
					run: {
						handler: run.run as ErasedRun["handler"],
						inspector: run.inspector,
						...(run.durable ? { durable: run.durable, durableView: run.durableView } : undefined),
					},
				}
			: undefined),
		actions: compileActions(raw.actions ?? {}),
		events: compileEvents(raw.events ?? {}),
		queues: compileQueues(raw.queues ?? {}),
		options: raw.options,
		display: {
			name: raw.options.name ?? run?.name,
			icon: raw.options.icon ?? run?.icon,
		},
	} satisfies ErasedActorConfig);
}

function runConfig(run: RawConfig["run"]): RawRunConfig | undefined {
	if (!run) return undefined;
	const [fn, own] = typeof run === "function" ? [run, { run }] : [run.run, run];
	const carried = (fn as { [RUN_FUNCTION_CONFIG]?: Omit<RawRunConfig, "run"> })[
		RUN_FUNCTION_CONFIG
	];
	return { ...carried, ...own };
}

/** Display name and icon as `/metadata` shows them: what is not set is left out. */
export function displayMetadata({ name, icon }: ErasedActorConfig["display"]): ActorNameMetadata {
	return {
		...(name === undefined ? undefined : { name }),
		...(icon === undefined ? undefined : { icon }),
	};
}
