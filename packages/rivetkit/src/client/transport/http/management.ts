import {
	type ApiActor,
	type ApiCreateActorRequest,
	encodeBase64,
	encodeCbor,
	joinUrl,
	PATH_ACTORS,
	serializeKey,
} from "@rivetkit/protocol";
import { ActorError } from "../../errors.ts";
import type { ActorQuery, NewActor } from "../transport.ts";
import type { Address } from "./address.ts";
import { type Fetch, parsed, readBody, send } from "./exchange.ts";

/** What the management API is called with. */
export interface ManagementCall {
	readonly fetch: Fetch;
	readonly address: Address;
	/** The client's own headers, on every call. */
	readonly headers: Headers;
	readonly runnerName: string;
	readonly signal: AbortSignal | undefined;
}

/** The id of the actor a query means; `actor.not_found` when there is none (contract: protocol 4.6). */
export async function resolveActor(call: ManagementCall, query: ActorQuery): Promise<string> {
	switch (query.kind) {
		case "found":
			return query.actorId;
		case "id": {
			const actor = await findActor(call, query.actorId);
			if (actor?.name === query.name) return actor.actor_id;
			throw notFound(query.actorId);
		}
		case "get": {
			const { name, key } = query;
			const [actor] = await listActors(call, { name, key: serializeKey(key) });
			if (actor) return actor.actor_id;
			throw notFound(`${name}:${JSON.stringify(key)}`);
		}
		case "getOrCreate":
			return (await putActor(call, "PUT", query)).actor_id;
	}
}

export async function createActor(call: ManagementCall, actor: NewActor): Promise<string> {
	return (await putActor(call, "POST", actor)).actor_id;
}

/** The actor of this id, if it is alive. */
export async function findActor(
	call: ManagementCall,
	actorId: string,
): Promise<ApiActor | undefined> {
	const actors = await listActors(call, { actor_ids: actorId });
	// Engines list destroyed ones, too.
	return actors.find((actor) => actor.actor_id === actorId && !actor.destroy_ts);
}

/** An input as it travels: everything but `undefined` is one. */
export function encodeInput(input: unknown): Uint8Array | undefined {
	return input === undefined ? undefined : encodeCbor(input);
}

async function listActors(
	call: ManagementCall,
	query: Record<string, string>,
): Promise<readonly ApiActor[]> {
	const answer = await request(call, "GET", query);
	return parsed(() => {
		const { actors } = answer as { actors?: unknown };
		if (Array.isArray(actors)) return actors as ApiActor[];
		throw new Error("the list of actors is missing");
	});
}

async function putActor(
	call: ManagementCall,
	method: "PUT" | "POST",
	{ name, key, input, region }: NewActor,
): Promise<ApiActor> {
	const encodedInput = encodeInput(input);
	// What is undefined is left out of JSON.
	const body: ApiCreateActorRequest = {
		name,
		key: serializeKey(key),
		runner_name_selector: call.runnerName,
		crash_policy: "sleep",
		datacenter: region,
		input: encodedInput && encodeBase64(encodedInput),
	};
	const answer = await request(call, method, {}, body);
	return parsed(() => {
		const { actor } = answer as { actor?: ApiActor };
		if (typeof actor?.actor_id === "string") return actor;
		throw new Error("the actor is missing");
	});
}

async function request(
	{ fetch, address, headers, signal }: ManagementCall,
	method: string,
	query: Record<string, string>,
	body?: object,
): Promise<object> {
	const { endpoint, namespace, token } = address;
	const sent = new Headers(headers);
	if (token !== undefined) sent.set("authorization", `Bearer ${token}`);
	if (body) sent.set("content-type", "application/json");
	const url = joinUrl(endpoint, PATH_ACTORS, { ...query, namespace });
	const response = await send(fetch, url, {
		method,
		headers: sent,
		...(body && { body: JSON.stringify(body) }),
		...(signal && { signal }),
	});
	const text = await readBody(response, "json", signal);
	return parsed(() => Object(JSON.parse(new TextDecoder().decode(text))));
}

function notFound(identifier: string): ActorError {
	return new ActorError("actor", "not_found", `Actor not found: ${identifier}`);
}
