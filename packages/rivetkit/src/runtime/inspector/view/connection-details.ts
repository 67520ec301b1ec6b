import type { InspectedConnection } from "@rivetkit/protocol/inspector/answers";
import type { ActorView } from "./actor-view.ts";

export function connectionsOf({ connections }: ActorView): InspectedConnection[] {
	return connections.map(({ id, type, params, state, subscriptions, isHibernatable }) => ({
		type,
		id,
		details: {
			type,
			...(params !== undefined && { params }),
			stateEnabled: state !== null,
			...(state && { state: state.value }),
			subscriptions,
			isHibernatable,
		},
	}));
}
