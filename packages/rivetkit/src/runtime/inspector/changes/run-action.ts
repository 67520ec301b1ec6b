import type { HeadersView, WireError } from "@rivetkit/protocol";
import { ActionCall } from "../../actions/action-call.ts";
import { Connection } from "../../connections/connection.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { metadataRequest } from "../../raw/incoming-request.ts";

/** Hooks see no headers: there may be a token in them. */
const NO_HEADERS: HeadersView = { get: () => null, entries: () => [] };

/** How it ended: with what `encode` made of its output. */
export type Encoded<T> =
	| { readonly ok: true; readonly answer: T }
	| { readonly ok: false; readonly error: WireError };

/**
 * Runs an action on a connection of its own (contract: protocol 7.2, lifecycle 20), of kind `inspector` and
 * without params, for which `onBeforeConnect` does not run. Resolves when what it wrote is durable; what a
 * hook of the connection throws is an outcome, too, and what `encode` throws.
 */
export async function runAction<T>(
	instance: ActorInstance,
	name: string,
	args: readonly unknown[],
	signal: AbortSignal,
	encode: (output: unknown) => T,
): Promise<Encoded<T>> {
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
	const outcome = await new Promise<Encoded<T>>((resolve) => {
		const call = new ActionCall(instance, connection, name, args, (ended) => {
			signal.removeEventListener("abort", abort);
			if (!ended.ok) {
				resolve(ended);
				return;
			}
			try {
				resolve({ ok: true, answer: encode(ended.output) });
			} catch (error) {
				ended.call?.notSent(error);
				resolve(fail(error));
			}
		});
		const abort = () => call.abort(signal.reason);
		call.start();
		if (call.settled) return;
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
	});
	void instance.connections.close(connection);
	return new Promise((resolve) => {
		instance.afterDurable((error) => resolve(error === undefined ? outcome : fail(error)));
	});
}
