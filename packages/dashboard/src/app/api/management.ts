import type { ActorStatus } from "@rivetkit/protocol/inspector/answers";
import { callApi } from "./http.ts";
import type { Session } from "./session.ts";

/** Of the management API (docs/openapi.json). */
export interface ActorRecord {
	readonly actor_id: string;
	readonly name: string;
	/** Serialized; engines may have actors without one. */
	readonly key: string | null;
	/** Servers of other makes do not say. */
	readonly status?: ActorStatus | "destroyed";
	readonly create_ts: number;
	readonly connectable_ts: number | null;
	readonly start_ts: number | null;
	readonly sleep_ts: number | null;
	readonly destroy_ts: number | null;
}

export interface ActorType {
	/** In addresses. */
	readonly name: string;
	/** For people. */
	readonly title: string;
	readonly icon: string | null;
}

export interface ServerInfo {
	readonly version: string;
}

export interface ActorPage {
	readonly actors: readonly ActorRecord[];
	readonly next: string | null;
}

const NAMES_MAX = 1_000;
/** Actors per request: few enough to show soon, many enough that 10,000 are there in ten. */
export const ACTORS_PER_PAGE = 1_000;

export async function fetchServer(session: Session, signal: AbortSignal): Promise<ServerInfo> {
	return (await callApi(session, "/metadata", { signal })) as ServerInfo;
}

interface NamesAnswer {
	readonly names: Readonly<Record<string, { readonly metadata: { name?: string; icon?: string } }>>;
}

export async function fetchTypes(session: Session, signal: AbortSignal): Promise<ActorType[]> {
	const query = { namespace: "default", limit: NAMES_MAX };
	const { names } = (await callApi(session, "/actors/names", { query, signal })) as NamesAnswer;
	return Object.entries(names).map(([name, { metadata }]) => ({
		name,
		title: metadata.name ?? name,
		icon: metadata.icon ?? null,
	}));
}

interface ListAnswer {
	readonly actors: readonly ActorRecord[];
	readonly pagination: { readonly cursor: string | null };
}

export async function fetchActors(
	session: Session,
	name: string,
	cursor: string | null,
	signal: AbortSignal,
): Promise<ActorPage> {
	const query = { name, limit: ACTORS_PER_PAGE, cursor };
	const answer = (await callApi(session, "/actors", { query, signal })) as ListAnswer;
	return { actors: answer.actors, next: answer.pagination.cursor };
}

export async function destroyActor(session: Session, actorId: string): Promise<void> {
	await callApi(session, `/actors/${encodeURIComponent(actorId)}`, { method: "DELETE" });
}
