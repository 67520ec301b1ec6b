import { catalogueError, type RivetError } from "@rivetkit/protocol";
import { eventDeclaration } from "../../actor/erased.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike, withTimeout } from "../lifecycle/with-timeout.ts";
import type { Connection } from "./connection.ts";

/** Why a subscription is refused; null when it is granted. */
export type Refusal = { readonly error: unknown } | null;

/** Whether the event has a guard at all. */
export function isGuarded(instance: ActorInstance, event: string): boolean {
	return eventDeclaration(instance.config, event)?.canSubscribe !== undefined;
}

/**
 * Asks `canSubscribe` (contract: api 7) and calls `decided` once, synchronously when the guard does not
 * wait. The actor is busy meanwhile.
 */
export function askGuard(
	instance: ActorInstance,
	connection: Connection,
	event: string,
	decided: (refusal: Refusal) => void,
): void {
	const canSubscribe = eventDeclaration(instance.config, event)?.canSubscribe;
	if (!canSubscribe) {
		decided(null);
		return;
	}
	instance.work.begin("guard");
	const settle = (refusal: Refusal) => {
		instance.work.end("guard");
		decided(refusal);
		instance.writes.saveSoon();
	};
	let verdict: unknown;
	try {
		verdict = withTimeout(
			instance,
			"canSubscribe",
			instance.options.actionTimeout,
			canSubscribe(instance.contexts.connection(connection, undefined)),
			"actionTimeout",
		);
	} catch (error) {
		settle({ error });
		return;
	}
	if (isPromiseLike(verdict)) {
		verdict.then(
			(value) => settle(refusalOf(value)),
			(error) => settle({ error }),
		);
	} else {
		settle(refusalOf(verdict));
	}
}

function refusalOf(verdict: unknown): Refusal {
	return verdict === true ? null : { error: verdictError(verdict) };
}

function verdictError(verdict: unknown): RivetError {
	return verdict === false
		? catalogueError("auth.forbidden", {})
		: catalogueError("handler.invalid_can_subscribe_response", {});
}
