import type { ActorView, InspectedConnection } from "./actor-view.ts";

/** A connection in the contract's shape (protocol 7.2). */
export interface ConnectionJson {
	readonly type: InspectedConnection["type"];
	readonly id: string;
	readonly details: {
		readonly type: InspectedConnection["type"];
		readonly params?: unknown;
		readonly stateEnabled: boolean;
		readonly state?: unknown;
		readonly subscriptions: number;
		readonly isHibernatable: boolean;
	};
}

export function connectionsOf({ connections }: ActorView): ConnectionJson[] {
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
