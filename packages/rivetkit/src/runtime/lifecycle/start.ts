import {
	type ActorSocket,
	catalogueError,
	decodeCbor,
	INTERNAL_ERROR_CODE,
	noteLogged,
	toWireError,
} from "@rivetkit/protocol";
import {
	entriesOf,
	type StoredEntries,
	SUBSPACE_CONNECTIONS,
	SUBSPACE_KV_SIZE,
	SUBSPACE_PUBLISHED_WORKFLOW,
	SUBSPACE_QUEUE,
	SUBSPACE_REPLIES,
	SUBSPACE_SCHEDULE,
	SUBSPACE_STATE,
	SUBSPACE_WORKFLOW,
	WAKE_END,
	WAKE_START,
} from "../commit/storage-layout.ts";
import { restoreConnections } from "../connections/restored-connections.ts";
import { copyInitial } from "../instance/initial-value.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { readState } from "../instance/state-layout.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import { isStarting, type LifecycleEvent, type Phase } from "./lifecycle.ts";
import { isPromiseLike, withTimeout } from "./with-timeout.ts";

/** A start that failed, and what is to be done about it. */
export interface StartFailure {
	readonly error: unknown;
	/** A public error thrown while creating: the half-created actor is removed (W-START-2). */
	readonly removeActor: boolean;
}

/**
 * Brings an instance from `loading` to `ready` (contract: lifecycle 3). Creation is one commit after
 * `onCreate`; a crash before it runs `createState` and `onCreate` again. An actor whose data is at hand, and
 * whose hooks do not wait, is ready when this returns.
 */
export function startInstance(
	instance: ActorInstance,
	sockets: readonly ActorSocket[],
): StartFailure | null | Promise<StartFailure | null> {
	const start = new Start(instance, sockets);
	try {
		const { database } = instance;
		// Has its own time: a large database may have to be written into its working file again.
		const started = database
			? database.load().then(() => withinStartTimeout(start))
			: withinStartTimeout(start);
		return started === undefined
			? start.ended()
			: started.then(
					() => start.ended(),
					(error: unknown) => start.failed(error),
				);
	} catch (error) {
		return start.failed(error);
	}
}

type StartPhase = Extract<
	Phase,
	"loading" | "onMigrate" | "createState" | "onCreate" | "createVars" | "onWake"
>;

type Step = (start: Start) => LifecycleEvent | Promise<LifecycleEvent>;

const WAKE_RANGE = { start: WAKE_START, end: WAKE_END };

/** What is done in each phase of a start. Hooks that do not wait make no step wait. */
const STEPS: Readonly<Record<StartPhase, Step>> = {
	loading(start) {
		const { services, assignment } = start.instance;
		return after(services.backend.load(assignment, WAKE_RANGE), (stored) => {
			if (stored === null) {
				start.isCreating = true;
				start.instance.database?.startOver();
				// Of an incarnation that ended before it had stored anything: nobody listens to them any more.
				restoreConnections(start.instance, [], start.sockets);
			} else {
				restore(start, stored);
			}
			return "done";
		});
	},

	onMigrate({ instance, isCreating }) {
		const { config, options, contexts, database } = instance;
		const event = isCreating ? "doneNew" : "done";
		const migrate = () => {
			const { onMigrate } = config;
			if (!onMigrate) return undefined;
			const migrated = instance.traced(SPAN_KINDS.hook, "onMigrate", () =>
				onMigrate(contexts.actor, isCreating),
			);
			return withTimeout(instance, "onMigrate", options.onMigrateTimeout, migrated);
		};
		if (!database) return after(migrate(), () => event);
		return after(database.open().then(migrate), () => {
			database.migrated();
			return event;
		});
	},

	createState({ instance }) {
		const { config, state, contexts } = instance;
		const { createState } = config;
		if (createState) {
			const create = () => createState(contexts.actor, inputOf(instance));
			return after(instance.traced(SPAN_KINDS.hook, "createState", create), (created) => {
				state.create(created);
				return "done";
			});
		}
		if (config.hasState) state.create(copyInitial(config.state));
		return "done";
	},

	async onCreate(start): Promise<LifecycleEvent> {
		const { instance } = start;
		const { onCreate } = instance.config;
		if (onCreate) {
			const { contexts } = instance;
			await instance.traced(SPAN_KINDS.hook, "onCreate", () =>
				onCreate(contexts.actor, inputOf(instance)),
			);
		}
		if (instance.phase !== "onCreate") return "done";
		const now = instance.now();
		instance.writes.writeRecord({
			initialised: true,
			startTs: now,
			connectableTs: now,
			sleepTs: null,
		});
		await instance.committer.flush();
		// From here on the actor exists, whatever the hooks of its first wake do.
		start.isCreating = false;
		start.isCreated = true;
		return "done";
	},

	createVars({ instance }) {
		const { config, options, contexts } = instance;
		const { createVars } = config;
		if (createVars) {
			const created = instance.traced(SPAN_KINDS.hook, "createVars", () =>
				createVars(contexts.actor, {}),
			);
			return after(
				withTimeout(instance, "createVars", options.createVarsTimeout, created),
				(vars) => {
					instance.vars = vars;
					return "done";
				},
			);
		}
		if (config.hasVars) instance.vars = copyInitial(config.vars);
		return "done";
	},

	onWake({ instance, isCreated }) {
		const { onWake } = instance.config;
		const { contexts } = instance;
		const hook = onWake && instance.traced(SPAN_KINDS.hook, "onWake", () => onWake(contexts.actor));
		return after(hook, () => {
			if (!isCreated) {
				const now = instance.now();
				const woken = { startTs: now, connectableTs: now, sleepTs: null };
				// Whoever goes on after a crash starts those that do not sleep.
				if (instance.assignment.crashPolicy === "restart") instance.writes.noteRecordNow(woken);
				else instance.writes.noteRecord(woken);
			}
			instance.writes.saveSoon();
			return "done";
		});
	},
};

/** One start on its way through the lifecycle table. */
class Start {
	readonly instance: ActorInstance;
	/** What earlier incarnations held. */
	readonly sockets: readonly ActorSocket[];
	/** Whether the actor does not exist yet. */
	isCreating = false;
	/** Whether this start has created it. */
	isCreated = false;
	isOverdue = false;

	constructor(instance: ActorInstance, sockets: readonly ActorSocket[]) {
		this.instance = instance;
		this.sockets = sockets;
	}

	/** Undefined when nothing has to be waited for. */
	run(): undefined | Promise<void> {
		const { instance } = this;
		while (isStarting(instance.phase)) {
			const { phase } = instance;
			const outcome = STEPS[phase as StartPhase](this);
			if (isPromiseLike(outcome)) {
				return outcome.then((event) => (this.#stepEnded(phase, event) ? this.run() : undefined));
			}
			if (!this.#stepEnded(phase, outcome)) return undefined;
		}
		return undefined;
	}

	/** False when the start is over meanwhile, though the hook went on: it took too long, or was fenced off. */
	#stepEnded(phase: Phase, event: LifecycleEvent): boolean {
		if (this.isOverdue || this.instance.phase !== phase) return false;
		this.instance.dispatch(event);
		return true;
	}

	/** No hook failed; but one that was fenced off meanwhile is no incarnation, though its hooks went on. */
	ended(): StartFailure | null {
		return this.instance.isFenced ? this.#fencedOff() : null;
	}

	#fencedOff(): StartFailure {
		const { actorId } = this.instance;
		return { error: catalogueError("actor.stopping", { actorId }), removeActor: false };
	}

	failed(error: unknown): StartFailure {
		const { instance } = this;
		// What user code threw may not want to be looked at.
		if (instance.isFenced) return this.#fencedOff();
		const removeActor = this.isCreating && isPublicError(error);
		const { phase, assignment } = instance;
		instance.log[removeActor ? "info" : "error"](
			{ err: error, phase, generation: assignment.generation },
			"start failed",
		);
		instance.dispatch(this.isOverdue ? "overdue" : "failed");
		const reason = removeActor ? error : internal(error);
		noteLogged(reason);
		return { error: reason, removeActor };
	}
}

function restore({ instance, sockets }: Start, stored: StoredEntries): void {
	if (instance.config.hasState) instance.state.load(readState(entriesOf(stored, SUBSPACE_STATE)));
	const replies = entriesOf(stored, SUBSPACE_REPLIES);
	if (replies.length > 0) instance.calls.load(replies, instance.now());
	const schedules = entriesOf(stored, SUBSPACE_SCHEDULE);
	if (schedules.length > 0) instance.schedules.keeper.load(schedules);
	const head = entriesOf(stored, SUBSPACE_WORKFLOW)[0]?.[1] ?? null;
	instance.durable?.load(head, entriesOf(stored, SUBSPACE_PUBLISHED_WORKFLOW));
	instance.loadQueue(entriesOf(stored, SUBSPACE_QUEUE));
	const kvSize = entriesOf(stored, SUBSPACE_KV_SIZE);
	if (kvSize.length > 0) instance.kv.load(kvSize);
	restoreConnections(instance, entriesOf(stored, SUBSPACE_CONNECTIONS), sockets);
}

function inputOf({ assignment }: ActorInstance): unknown {
	return assignment.input === null ? undefined : decodeCbor(assignment.input);
}

/** `then` without a turn of its own for what is no promise. */
function after<T>(
	result: T | PromiseLike<T>,
	next: (value: T) => LifecycleEvent,
): LifecycleEvent | Promise<LifecycleEvent> {
	return isPromiseLike(result)
		? Promise.resolve(result as PromiseLike<T>).then(next)
		: next(result);
}

/** W-START-5: one limit for the whole start; its error names the hook that was running. */
function withinStartTimeout(start: Start): undefined | Promise<void> {
	const startMs = start.instance.now();
	const running = start.run();
	return running && endsInTime(start, running, startMs);
}

async function endsInTime(start: Start, running: Promise<void>, startMs: number): Promise<void> {
	const { instance } = start;
	const limitMs = instance.options.startTimeout;
	let expire!: (error: Error) => void;
	const expired = new Promise<never>((_resolve, reject) => {
		expire = reject;
	});
	const timer = instance.services.timers.schedule(startMs + limitMs - instance.now(), () => {
		start.isOverdue = true;
		expire(
			new Error(
				`Actor ${instance.actorId} did not start within ${limitMs} ms (options.startTimeout); it was in ${instance.phase}`,
			),
		);
	});
	try {
		await Promise.race([running, expired]);
	} finally {
		timer.cancel();
	}
}

function isPublicError(error: unknown): boolean {
	return toWireError(error, { expose: false }).code !== INTERNAL_ERROR_CODE;
}

/** Callers of an actor that exists see no errors of its start, public or not (W-START-2). Always an object. */
function internal(error: unknown): unknown {
	if (isPublicError(error)) return new Error((error as Error).message, { cause: error });
	const isObject = (typeof error === "object" && error !== null) || typeof error === "function";
	return isObject ? error : new Error(String(error), { cause: error });
}
