import type { ActorConfig, ActorConfigInput, FittingForms, Produced } from "./config.types.ts";
import type { EventsConfig, QueuesConfig, Undeclared } from "./declarations.types.ts";
import { type ActorOptionsInput, resolveOptions } from "./options.ts";
import { validateActorConfig } from "./validate-config.ts";

/**
 * A kind of actor. Made by {@link actor}; may be used in several registries. The order of the type
 * parameters is part of the contract (api 4).
 */
export class ActorDefinition<
	State,
	ConnParams,
	ConnState,
	Vars,
	Input,
	Database,
	Events,
	Queues,
	Actions,
> {
	/** Checked, defaults filled in, frozen. */
	readonly config: ActorConfig<
		State,
		ConnParams,
		ConnState,
		Vars,
		Input,
		Database,
		Events,
		Queues,
		Actions
	>;

	constructor(
		config: ActorConfig<
			State,
			ConnParams,
			ConnState,
			Vars,
			Input,
			Database,
			Events,
			Queues,
			Actions
		>,
	) {
		this.config = config;
	}
}

/** Any definition, when its types do not matter. */
export type AnyActorDefinition = ActorDefinition<
	// biome-ignore lint/suspicious/noExplicitAny: stands for every instantiation, in both directions
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any,
	// biome-ignore lint/suspicious/noExplicitAny: as above
	any
>;

/**
 * Defines an actor. Checks the config at once and throws a `ZodError` whose `issues` name each problem
 * with its path, what was expected and what was found; nothing runs.
 */
export function actor<
	State,
	ConnParams,
	ConnState,
	Vars,
	Input,
	Database,
	Events extends EventsConfig = Undeclared,
	Queues extends QueuesConfig = Undeclared,
	Actions = Undeclared,
	Inputs = Undeclared,
	CreatedState = State,
	CreatedConnState = ConnState,
	CreatedVars = Vars,
>(
	config: ActorConfigInput<
		State,
		ConnParams,
		ConnState,
		Vars,
		Input,
		Database,
		Events,
		Queues,
		Actions,
		Inputs,
		CreatedState,
		CreatedConnState,
		CreatedVars
	> &
		FittingForms<State, CreatedState, ConnState, CreatedConnState, Vars, CreatedVars>,
): ActorDefinition<
	Produced<State, CreatedState>,
	ConnParams,
	Produced<ConnState, CreatedConnState>,
	Produced<Vars, CreatedVars>,
	Input,
	Database,
	Events,
	Queues,
	Actions
> {
	validateActorConfig(config);
	const { types: _, options, actions, ...rest } = config;
	const defined: object = Object.freeze({
		...rest,
		options: resolveOptions((options ?? {}) as ActorOptionsInput),
		actions: actions ?? {},
	});
	// Cast: only inference knows which of the two forms of state, connection state and vars there is.
	return new ActorDefinition(defined as never);
}
