import type { LocalRuntime } from "./local-runtime.ts";

/**
 * What goes on in a process while its modules are reloaded: the one runtime, and the registry whose code it
 * runs. Kept on the global object, because module runners and bundlers load this package more than once.
 */
export interface Development {
	runtime: LocalRuntime | null;
	current: object | null;
	/** Reloads happen one after the other. */
	turn: Promise<unknown>;
}

const DEVELOPMENT = Symbol.for("rivetkit.development");

type DevelopmentGlobal = typeof globalThis & { [DEVELOPMENT]?: Development };

/** Null unless an adapter has held the starts of this process: {@link holdStarts}. */
export function development(): Development | null {
	return (globalThis as DevelopmentGlobal)[DEVELOPMENT] ?? null;
}

/** Registries of this process start only when an adapter says so, with `Registry.develop`. Idempotent. */
export function holdStarts(): Development {
	const holder = globalThis as DevelopmentGlobal;
	holder[DEVELOPMENT] ??= { runtime: null, current: null, turn: Promise.resolve() };
	return holder[DEVELOPMENT];
}
