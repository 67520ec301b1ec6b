import type {
	ActorRequest,
	ActorResponse,
	ActorSocket,
	ActorUpgrade,
	PlainSocket,
	StopIntent,
} from "@rivetkit/protocol";
import type { PoolRoom, PoolState } from "../common/pool-state.ts";
import type { RunnerAnswers, RunnerQuestion } from "../common/runner-questions.ts";
import type { ActorKind } from "../placement/elsewhere.ts";
import type { Incarnation, IncarnationEnd } from "../placement/incarnation.ts";
import type { Placement } from "../placement/placement.ts";
import type { RunnerPool } from "./link-messages.ts";

/** What the cluster needs of this node's engine. */
export interface LocalEngine {
	readonly placement: Placement;
	/** Sockets of this node's clients that wait for the actor's next incarnation. */
	attachAll(actorId: string): readonly ActorSocket[];
	/** An incarnation elsewhere is gone. */
	ended(actorId: string, how: IncarnationEnd): void;
	/** A request to an actor that lives here, from another node. */
	request(actorId: string, incarnation: Incarnation, request: ActorRequest): Promise<ActorResponse>;
	/** Stops an actor that is here; one of a runner, or that waits for one, is destroyed without its runner. */
	stop(actorId: string, intent: StopIntent): Promise<void>;
	/** Whether it can run such actors now. */
	hosts(actor: ActorKind): boolean;
	/** Looks at an actor that is here, or nowhere; null when it has to be woken for the answer. */
	inspect(actorId: string, request: ActorRequest): Promise<ActorResponse | null>;
	inspectSocket(actorId: string, upgrade: ActorUpgrade, socket: PlainSocket): Promise<void>;
	/** A runner that was here has come to another node. */
	runnerMoved(pool: RunnerPool, key: string, version: number | undefined): void;
	/** What it has for the next actors of its pools. */
	rooms(): readonly PoolState[];
	/** The same of one pool; undefined without a runner that is connected. */
	roomFor(actor: ActorKind): PoolRoom | undefined;
	/** Another node has told its own, or is gone with what it had. */
	heardRooms(rooms: readonly PoolState[]): void;
	/** What it knows of its runners, one item each; nothing where it has none. */
	askRunners(question: RunnerQuestion): RunnerAnswers[keyof RunnerAnswers][];
}
