"use client";
import type {
	ActorName,
	ActorOptions,
	ActorState,
	ActorUse,
	RivetKit,
} from "@rivetkit/framework-base";
import { dequal } from "dequal";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { makeUseEvent, type UseEvent } from "./use-event.ts";

/** What `useActor` takes. */
export type UseActorOptions<Registry, Name extends ActorName<Registry>> = ActorOptions<
	Registry,
	Name
> & {
	/**
	 * Suspends until the first attempt to connect is over, so that `connection` is there, or `error` says why not. The
	 * nearest `<Suspense>` shows its fallback meanwhile, and in what a server renders. Default false.
	 */
	readonly suspense?: boolean | undefined;
};

/** What `useActor` returns: {@link ActorState}, and the hook for events. The same object until something changes. */
export type UseActorResult<Registry, Name extends ActorName<Registry>> = ActorState<
	Registry,
	Name
> & {
	/**
	 * A hook: calls `handler` with the arguments of each event of this name while the component is mounted. Always the
	 * handler of the latest rendering; subscribed again when the connection is another.
	 */
	readonly useEvent: UseEvent<Registry, Name>;
};

/**
 * Connects to an actor while the component is mounted (contract: api 17). Components with the same name, key, params and
 * `noCreate` share one connection, which closes after the last of them is gone. Rendering does no I/O.
 */
export type UseActor<Registry> = <Name extends ActorName<Registry>>(
	options: UseActorOptions<Registry, Name>,
) => UseActorResult<Registry, Name>;

export function makeUseActor<Registry>(rivetkit: RivetKit<Registry>): UseActor<Registry> {
	return function useActor(options) {
		const use = useUse(rivetkit, options);
		if (options.suspense) suspendUntilReady(use);
		useEffect(() => use.mount(), [use]);
		// A part of the page that is hydrated later begins with what the server rendered.
		const idle = () => use.idle;
		const state = useSyncExternalStore(use.state.subscribe, use.state.get, idle);
		const useEvent = useMemo(() => makeUseEvent(use.state), [use.state]);
		return useMemo(() => ({ ...state, useEvent }), [state, useEvent]);
	};
}

/** The same use as long as the options are the same, compared deeply. */
function useUse<Registry, Name extends ActorName<Registry>>(
	rivetkit: RivetKit<Registry>,
	given: UseActorOptions<Registry, Name>,
): ActorUse<Registry, Name> {
	const options = withoutAbsent(given);
	const [settled, settle] = useState(options);
	const same = dequal(settled, options);
	if (!same) settle(options);
	const latest = same ? settled : options;
	return useMemo(() => rivetkit.getOrCreateActor(latest), [rivetkit, latest]);
}

/** Options that are `undefined` are absent ones; `suspense` says nothing about the connection. */
function withoutAbsent<Options extends object>(options: Options): Options {
	return Object.fromEntries(
		Object.entries(options).filter(([name, value]) => value !== undefined && name !== "suspense"),
	) as Options;
}

function suspendUntilReady(use: Pick<ActorUse<never, never>, "ready">): void {
	if (typeof window === "undefined") {
		throw new Error("An actor with `suspense` is not rendered on a server: its fallback is");
	}
	const ready = use.ready();
	// What React 18 and 19 both take; `use` is of 19 only.
	if (ready) throw ready;
}
