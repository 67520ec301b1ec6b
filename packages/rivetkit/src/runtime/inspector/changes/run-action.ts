import type { HeadersView, WireError } from "@rivetkit/protocol";
import { ActionCall } from "../../actions/action-call.ts";
import type { Outcome } from "../../calls/call-log.ts";
import { Connection } from "../../connections/connection.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { metadataRequest } from "../../raw/incoming-request.ts";

/** Hooks see no headers: there may be a token in them. */
const NO_HEADERS: HeadersView = { get: () => null, entries: () => [] };

/**
 * Runs an action on a connection of its own (contract: protocol 7.2, lifecycle 20), of kind `inspector` and
 * without params, for which `onBeforeConnect` does not run. Resolves when what it wrote is durable; what a
 * hook of the connection throws is an outcome, too.
 */
export async function runAction(
	instance: ActorInstance,
	name: string,
	args: readonly unknown[],
	signal: AbortSignal,
): Promise<Outcome> {
	const connection = new Connection(instance, "inspector", undefined);
	const fail = (error: unknown): { ok: false; error: WireError } => ({
		ok: false,
		error: instance.describeError(error, { action: name, from: "inspector" }),
	});
	try {
		const path = `/inspector/action/${encodeURIComponent(name)}`;
		await instance.connections.open(connection, metadataRequest(NO_HEADERS, path));
	} catch (error) {
		return fail(error);
	}
	const outcome = await settled(instance, connection, name, args, signal);
	void instance.connections.close(connection);
	return new Promise((resolve) => {
		instance.afterDurable((error) => resolve(error === undefined ? outcome : fail(error)));
	});
}

function settled(
	instance: ActorInstance,
	connection: Connection,
	name: string,
	args: readonly unknown[],
	signal: AbortSignal,
): Promise<Outcome> {
	return new Promise((resolve) => {
		const call = new ActionCall(instance, connection, name, args, (outcome) => {
			signal.removeEventListener("abort", abort);
			resolve(outcome);
		});
		const abort = () => call.abort(signal.reason);
		call.start();
		if (call.settled) return;
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
	});
}
