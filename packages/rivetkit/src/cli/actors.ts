import {
	type ApiActor,
	type ApiListActorNamesResponse,
	type ApiListActorsResponse,
	encodeBase64,
	encodeCbor,
	PATH_ACTOR_NAMES,
	PATH_ACTORS,
	parseKey,
	serializeKey,
} from "@rivetkit/protocol";
import type {
	InspectedConnection,
	LifecycleReport,
	Schedule,
	SchedulesAnswer,
	StateAnswer,
	SummaryAnswer,
} from "@rivetkit/protocol/inspector/answers";
import { nearestName } from "../config/nearest-name.ts";
import { type ActorAddress, formatAddress, showAddress } from "./address.ts";
import { CommandFailed } from "./failure.ts";
import type { Server } from "./server/server.ts";

/** What an actor does now. `destroyed` ones are listed while their tombstone is kept. */
export const STATUSES = [
	"awake",
	"sleeping",
	"starting",
	"stopping",
	"failing",
	"destroyed",
] as const;
export type ActorStatus = (typeof STATUSES)[number];

/** An actor of the management API. */
export interface ListedActor {
	readonly id: string;
	readonly name: string;
	readonly key: readonly string[];
	readonly status: ActorStatus;
	/** Milliseconds since the epoch, as all times. */
	readonly createdAtMs: number;
	readonly startedAtMs: number | null;
	readonly sleptAtMs: number | null;
	readonly destroyedAtMs: number | null;
}

export interface ListQuery {
	/** All names when absent. */
	readonly name?: string | undefined;
	readonly status?: ActorStatus | undefined;
	readonly includeDestroyed?: boolean;
	readonly limit: number;
	/** {@link ActorPage.next} of the page before. */
	readonly after?: string | undefined;
}

export interface ActorPage {
	/** Newest first. */
	readonly actors: readonly ListedActor[];
	/** What to go on after; null when there is no more. */
	readonly next: string | null;
}

/** Actors asked for at once. */
const PAGE_MAX = 1_000;
const NAMES_PAGE = 1_000;

/** Newest first, of one name or of all. Throws {@link CommandFailed}, also for a name nobody knows. */
export async function listActors(server: Server, query: ListQuery): Promise<ActorPage> {
	const names = query.name === undefined ? await actorNames(server) : [query.name];
	const streams = names.map((name) => actorsOf(server, name, query));
	const heads = await Promise.all(streams.map((stream) => stream.next()));
	const found: ListedActor[] = [];
	for (;;) {
		const at = newest(heads);
		if (at < 0) break;
		if (found.length === query.limit) {
			const { createdAtMs, id } = found.at(-1)!;
			return { actors: found, next: `${createdAtMs}.${id}` };
		}
		found.push(heads[at]!.value as ListedActor);
		heads[at] = await streams[at]!.next();
	}
	if (found.length === 0 && query.name !== undefined) await assertNameKnown(server, query.name);
	return { actors: found, next: null };
}

/** Names that have actors or can have them. */
export async function actorNames(server: Server): Promise<string[]> {
	const names: string[] = [];
	let cursor: string | null | undefined;
	do {
		const page: ApiListActorNamesResponse = await server.manage(PATH_ACTOR_NAMES, {
			query: { limit: String(NAMES_PAGE), cursor: cursor ?? undefined },
		});
		names.push(...Object.keys(page.names));
		cursor = page.pagination?.cursor;
	} while (typeof cursor === "string");
	return names;
}

async function assertNameKnown(server: Server, name: string): Promise<void> {
	const names = await actorNames(server);
	if (names.includes(name)) return;
	throw new CommandFailed(`There is no actor name '${name}'${among(name, names)}`);
}

/** `; did you mean …?`, or what there is. Ends the sentence. */
export function among(name: string, names: readonly string[]): string {
	const nearest = nearestName(name, names);
	if (nearest !== undefined) return `; did you mean '${nearest}'?`;
	return names.length === 0 ? "; there are none." : `; there are: ${names.join(", ")}.`;
}

async function* actorsOf(server: Server, name: string, query: ListQuery) {
	const { status, limit, includeDestroyed = false } = query;
	let cursor = query.after;
	for (;;) {
		const asked = Math.min(limit + 1, PAGE_MAX);
		const page: ApiListActorsResponse = await server.manage(PATH_ACTORS, {
			query: {
				name,
				limit: String(asked),
				cursor,
				...(includeDestroyed || status === "destroyed" ? { include_destroyed: "true" } : {}),
			},
		});
		for (const actor of page.actors) {
			const listed = listedActor(actor);
			if (status === undefined || listed.status === status) yield listed;
		}
		const next = page.pagination?.cursor;
		if (typeof next !== "string") return;
		cursor = next;
	}
}

/** Which stream has the newest actor; ties by id, highest first, as the server orders. */
function newest(heads: readonly IteratorResult<ListedActor, void>[]): number {
	let best = -1;
	for (const [at, head] of heads.entries()) {
		if (!head.done && (best < 0 || isNewer(head.value, heads[best]!.value as ListedActor))) {
			best = at;
		}
	}
	return best;
}

function isNewer(a: ListedActor, b: ListedActor): boolean {
	return a.createdAtMs === b.createdAtMs ? a.id > b.id : a.createdAtMs > b.createdAtMs;
}

export function listedActor(actor: ApiActor): ListedActor {
	return {
		id: actor.actor_id,
		name: actor.name,
		key: parseKey(actor.key),
		status: statusOf(actor),
		createdAtMs: actor.create_ts,
		startedAtMs: actor.start_ts ?? null,
		sleptAtMs: actor.sleep_ts ?? null,
		destroyedAtMs: actor.destroy_ts ?? null,
	};
}

/** As the server says; one that does not say has times that tell. */
function statusOf(actor: ApiActor): ActorStatus {
	const said = STATUSES.find((status) => status === actor.status);
	if (said !== undefined) return said;
	if (typeof actor.destroy_ts === "number") return "destroyed";
	if (typeof actor.sleep_ts === "number") return "sleeping";
	return typeof actor.connectable_ts === "number" ? "awake" : "starting";
}

/** Looks an actor up. Throws {@link CommandFailed} when there is none. */
export async function findActor(server: Server, address: ActorAddress): Promise<ListedActor> {
	const { actors } = await server.manage<ApiListActorsResponse>(PATH_ACTORS, {
		query:
			address.kind === "id"
				? { actor_ids: address.actorId }
				: { name: address.name, key: serializeKey(address.key) },
	});
	const [actor] = actors;
	if (actor) return listedActor(actor);
	if (address.kind === "key") await assertNameKnown(server, address.name);
	throw new CommandFailed(
		`There is no actor ${showAddress(address)}; ${server.words.listActors} shows those there are.`,
		{ group: "actor", code: "not_found" },
	);
}

/** The actor with this name and key, made if there is none. */
export async function getOrCreateActor(
	server: Server,
	{ name, key }: Extract<ActorAddress, { kind: "key" }>,
	input: unknown,
): Promise<ListedActor> {
	const { actor } = await server.manage<{ actor: ApiActor }>(PATH_ACTORS, {
		method: "PUT",
		body: {
			name,
			key: serializeKey(key),
			runner_name_selector: "default",
			crash_policy: "sleep",
			...(input === undefined ? {} : { input: encodeBase64(encodeCbor(input)) }),
		},
	});
	return listedActor(actor);
}

/** Destroys an actor with all its data. */
export async function destroyActor(server: Server, actorId: string): Promise<void> {
	await server.manage(`${PATH_ACTORS}/${encodeURIComponent(actorId)}`, { method: "DELETE" });
}

/** What is known of one actor. */
export interface ActorReport {
	readonly actor: ListedActor;
	/** Answers of the inspector; see docs/inspector.md. */
	readonly lifecycle: LifecycleReport;
	readonly isStateEnabled: boolean;
	readonly isDatabaseEnabled: boolean;
	readonly isWorkflowEnabled: boolean;
	/** Absent without state. */
	readonly state?: unknown;
	readonly actions: readonly string[];
	readonly connections: readonly InspectedConnection[];
	readonly queue: { readonly size: number; readonly maxSize: number };
	readonly schedules: readonly Schedule[];
}

/** Reads an actor without waking it. */
export async function reportActor(server: Server, address: ActorAddress): Promise<ActorReport> {
	const actor = await findActor(server, address);
	const read = <T>(path: string) => server.inspect<T>(actor.id, path);
	const summary = await read<SummaryAnswer>("summary");
	const [lifecycle, queue, { schedules }] = await Promise.all([
		read<LifecycleReport>("lifecycle"),
		read<ActorReport["queue"]>("queue?limit=0"),
		read<SchedulesAnswer>("schedules"),
	]);
	const { isStateEnabled, isDatabaseEnabled, isWorkflowEnabled } = summary;
	return {
		actor,
		lifecycle,
		isStateEnabled,
		isDatabaseEnabled,
		isWorkflowEnabled,
		...("state" in summary ? { state: summary.state } : {}),
		actions: summary.rpcs,
		connections: summary.connections,
		queue: { size: queue.size, maxSize: queue.maxSize },
		schedules,
	};
}

export interface ActionRequest {
	readonly address: ActorAddress;
	readonly action: string;
	readonly args: readonly unknown[];
	/** Makes the actor if there is none, with this input. */
	readonly create?: { readonly input: unknown } | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** Runs an action, waking the actor if it sleeps. Resolves with what it returned. */
export async function callAction(server: Server, request: ActionRequest): Promise<unknown> {
	const { address, action, args, create, signal } = request;
	const actor = await actorToCall(server, address, create);
	try {
		const answer = await server.inspect<{ output?: unknown }>(
			actor.id,
			`action/${encodeURIComponent(action)}`,
			{ method: "POST", body: { args }, signal },
		);
		return answer.output;
	} catch (error) {
		if (isCode(error, "rivetkit", "internal_error"))
			throw await whyNot(server, actor, error, signal);
		if (!isCode(error, "action", "not_found")) throw error;
		const rpcs = await server.inspect<{ rpcs: string[] }>(actor.id, "rpcs", { signal }).then(
			(answer) => answer.rpcs,
			() => null,
		);
		if (rpcs === null || rpcs.includes(action)) throw error;
		throw new CommandFailed(
			`${formatAddress(actor.name, actor.key)} has no action '${action}'${among(action, rpcs)}`,
			{ group: "action", code: "not_found" },
		);
	}
}

/** Instead of an error that does not say why: that the actor cannot be started, where that is it. */
async function whyNot(
	server: Server,
	actor: ListedActor,
	error: unknown,
	signal?: AbortSignal,
): Promise<unknown> {
	const failure = await server.inspect<LifecycleReport>(actor.id, "lifecycle", { signal }).then(
		(report) => report.failure,
		// Who asked gets the error that there was, not that of this look.
		() => null,
	);
	if (failure === null) return error;
	const address = formatAddress(actor.name, actor.key);
	return new CommandFailed(
		`${address} does not start: ${failure.message.replace(/[.\s]+$/, "")}. It is tried again at ${new Date(failure.retryAtMs).toISOString()}.`,
		{ group: "rivetkit", code: "internal_error", cause: error },
	);
}

function isCode(error: unknown, group: string, code: string): boolean {
	return error instanceof CommandFailed && error.group === group && error.code === code;
}

async function actorToCall(
	server: Server,
	address: ActorAddress,
	create: ActionRequest["create"],
): Promise<ListedActor> {
	const found = await findActor(server, address).catch((error: unknown) => {
		if (!isCode(error, "actor", "not_found") || address.kind === "id") throw error;
		return null;
	});
	if (found !== null) return found;
	if (create && address.kind === "key") {
		// Before there is an actor that whoever asks may not use.
		await server.assertMayInspect();
		try {
			return await getOrCreateActor(server, address, create.input);
		} catch (error) {
			if (!isCode(error, "rivetkit", "internal_error")) throw error;
			// One that could not even be made is not there.
			throw await findActor(server, address).then(
				(actor) => whyNot(server, actor, error),
				() => error,
			);
		}
	}
	throw new CommandFailed(
		`There is no actor ${showAddress(address)}; ${server.words.create} makes it.`,
		{ group: "actor", code: "not_found" },
	);
}

/** The whole state of an actor, and which version of it. */
export interface SeenState {
	readonly state: unknown;
	/** Null where the server tells none. */
	readonly etag: string | null;
}

/** Throws {@link CommandFailed} for an actor without state. */
export async function readState(server: Server, address: ActorAddress): Promise<SeenState> {
	const actor = await findActor(server, address);
	const { answer, etag } = await server.inspectVersion<StateAnswer>(actor.id, "state");
	if (answer.isStateEnabled) return { state: answer.state, etag };
	throw withoutState(actor);
}

/**
 * Replaces the whole state, as the actor itself would; a sleeping one is woken for it. With the `etag` of what was read,
 * throws `inspector.state_changed` where it has been changed since.
 */
export async function replaceState(
	server: Server,
	address: ActorAddress,
	{ state, etag }: { readonly state: unknown; readonly etag?: string | undefined },
): Promise<void> {
	const actor = await findActor(server, address);
	try {
		await server.inspect(actor.id, "state", { method: "PATCH", body: { state }, ifMatch: etag });
	} catch (error) {
		// The server does not tell strangers why.
		if (!isCode(error, "rivetkit", "internal_error")) throw error;
		const isStateEnabled = await server.inspect<StateAnswer>(actor.id, "state").then(
			(answer) => answer.isStateEnabled,
			() => true,
		);
		throw isStateEnabled ? await whyNot(server, actor, error) : withoutState(actor);
	}
}

function withoutState({ name, key }: ListedActor): CommandFailed {
	return new CommandFailed(`${formatAddress(name, key)} keeps no state.`, {
		group: "actor",
		code: "state_not_enabled",
	});
}

export interface ImportRequest {
	/** Default: name and key of the file. */
	readonly as?: Extract<ActorAddress, { kind: "key" }> | undefined;
	/** Destroys whoever has the name and key now. */
	readonly replace: boolean;
}

export interface ImportedActor {
	readonly actor: ListedActor;
	/** Id of the actor it replaced. */
	readonly replaced: string | null;
}

/** Makes an actor of the file of an exported one. */
export async function importActor(
	server: Server,
	file: ReadableStream<Uint8Array>,
	{ as, replace }: ImportRequest,
): Promise<ImportedActor> {
	try {
		const { actor, replaced } = await server.importActor<{
			actor: ApiActor;
			replaced: string | null;
		}>(file, {
			...(as ? { name: as.name, key: serializeKey(as.key) } : {}),
			...(replace ? { replace: "true" } : {}),
		});
		return { actor: listedActor(actor), replaced };
	} catch (error) {
		if (!isCode(error, "actor", "duplicate_key")) throw error;
		throw new CommandFailed(
			`${(error as CommandFailed).message.replace(/\.$/, "")}; ${server.words.importAs} gives it another one, ${server.words.replace} destroys that actor for it.`,
			{ group: "actor", code: "duplicate_key" },
		);
	}
}
