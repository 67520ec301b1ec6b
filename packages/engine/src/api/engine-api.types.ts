import type { ApiActorStatus, Random } from "@rivetkit/protocol";
import type { ErrorAnswers } from "../common/errors.ts";
import type { ActorCondition, RunnersQuery, RunnerView } from "../common/runner-questions.ts";
import type { Directory } from "../directory/directory.ts";
import type { ActorNames } from "../pools/actor-names.ts";
import type { Namespaces } from "../pools/namespaces.ts";
import type { Pools } from "../pools/pools.ts";
import type { ActorRecord, Store } from "../store/store.ts";
import type { KvAccess } from "./kv-access.ts";

/** What the API needs of those who host the actors, on this node and the others. */
export interface Runners {
	runners(query: RunnersQuery): Promise<RunnerView[]>;
	/** Names of pools that have runners, in no order. */
	pools(namespace: string): Promise<string[]>;
	/** Of those of the actors of which there is something to tell. */
	conditionsOf(actors: readonly ActorRecord[]): Promise<ReadonlyMap<string, ActorCondition>>;
	/** As this node has it. */
	conditionHere(actor: ActorRecord): ActorCondition;
	/** What went wrong last with serverless pools whose starts do not succeed (engine 5.5). */
	poolErrors(namespace: string): Promise<ReadonlyMap<string, unknown>>;
}

/** What the API needs of the hosts that the engine starts by requests. */
export interface ServerlessHosts {
	/** Asks the host what it has. Throws `runner_config.not_found`. */
	refresh(namespace: string, pool: string): Promise<void>;
	/** The answer of the health check (engine 5.4). */
	check(url: string, headers: Readonly<Record<string, string>>): Promise<unknown>;
}

export interface Datacenter {
	readonly name: string;
	readonly label: number;
	/** Where hosts and clients reach this engine. */
	readonly publicUrl: () => string;
}

export interface EngineApiOptions {
	readonly store: Store;
	readonly random: Random;
	readonly errors: ErrorAnswers;
	readonly access: KvAccess;
	/** Whether actors can be created without the token, as in 2.1.3. */
	readonly opensCreation: boolean;
	readonly namespaces: Namespaces;
	readonly pools: Pools;
	readonly names: ActorNames;
	readonly directoryOf: (namespace: string) => Directory;
	readonly runners: Runners;
	/** Whether a runner of the pool is connected to this node that takes actors. */
	readonly hasRunners: (namespace: string, pool: string) => boolean;
	/** Whether this token lets a runner of this namespace in; undefined when everybody may be a runner. */
	readonly acceptsRunner: ((token: string, namespace: string) => boolean) | undefined;
	readonly serverless: ServerlessHosts;
	readonly statusOf: (actor: ActorRecord) => ApiActorStatus;
	/** Has a new actor placed; nobody waits for it. */
	readonly place: (actor: ActorRecord) => void;
	/** Destroys an actor at once. Throws `actor.not_found`. */
	readonly destroy: (actorId: string) => Promise<void>;
	/** What the id of an actor that is not found means, if not just that. */
	readonly absent: (actorId: string) => Error | undefined;
	readonly version: string;
	/** Why no calls should be sent here; null when they should. */
	readonly notReady: () => string | null;
	readonly datacenter: Datacenter;
	/** More fields of `/metadata`. */
	readonly metadata: (peerAddress: string | undefined) => Record<string, unknown>;
	readonly metrics: (() => Promise<string>) | undefined;
}
