import { catalogueError, decodeCbor, INTERNAL_ERROR_CODE, toWireError } from "@rivetkit/protocol";
import { FencedOff } from "../../backends/backend.ts";
import {
	entriesOf,
	SUBSPACE_REPLIES,
	SUBSPACE_STATE,
	WAKE_END,
	WAKE_START,
} from "../commit/storage-layout.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { readState } from "../instance/state-layout.ts";
import { hasEnded } from "./lifecycle.ts";
import { startRun } from "./run.ts";
import { isPromiseLike, withTimeout } from "./with-timeout.ts";

/** A start that failed, and whether the actor was being created or woken. */
export interface StartFailure {
	readonly error: unknown;
	/** A public error thrown while creating: the half-created actor is removed (W-START-2). */
	readonly removeActor: boolean;
}

/**
 * Brings an instance from `loading` to `ready` (contract: lifecycle 3). Creation is one commit after
 * `onCreate`; a crash before it runs `createState` and `onCreate` again.
 */
export async function startInstance(instance: ActorInstance): Promise<StartFailure | null> {
	const limitMs = instance.options.startTimeout;
	let creating = false;
	try {
		await withOverallLimit(instance, limitMs, async () => {
			const { backend } = instance.services;
			creating = !(await backend.isInitialised(instance.assignment));
			await migrate(instance, creating);
			if (creating) await create(instance);
			else await load(instance);
			// From here on the actor exists, whatever the hooks of its first wake do.
			const woken = !creating;
			creating = false;
			await wake(instance);
			if (woken) markAwake(instance);
		});
	} catch (error) {
		if (error instanceof FencedOff) {
			const { actorId } = instance;
			return { error: catalogueError("actor.stopping", { actorId }), removeActor: false };
		}
		const removeActor = creating && isPublicError(error);
		instance.log[removeActor ? "info" : "error"](
			{ err: error, phase: instance.phase },
			"start failed",
		);
		if (!hasEnded(instance.phase)) instance.end("failed");
		return { error: removeActor ? error : internal(error), removeActor };
	}
	startRun(instance);
	instance.startAlarm();
	return null;
}

async function migrate(instance: ActorInstance, isNew: boolean): Promise<void> {
	const { config, options } = instance;
	instance.enter("onMigrate");
	if (!config.onMigrate) return;
	const migrated = config.onMigrate(instance.contexts.actor, isNew);
	await withTimeout(instance, "onMigrate", options.onMigrateTimeout, migrated);
}

async function create(instance: ActorInstance): Promise<void> {
	const { config, assignment } = instance;
	const input = assignment.input === null ? undefined : decodeCbor(assignment.input);
	instance.enter("createState");
	if (config.createState) {
		instance.state.create(await settled(config.createState(instance.contexts.actor, input)));
	} else if (config.hasState) {
		instance.state.create(structuredClone(config.state));
	}
	instance.enter("onCreate");
	if (config.onCreate) await settled(config.onCreate(instance.contexts.actor, input));
	const now = instance.now();
	instance.writeRecord({ initialised: true, startTs: now, connectableTs: now, sleepTs: null });
	await instance.committer.flush();
}

async function load(instance: ActorInstance): Promise<void> {
	const range = { start: WAKE_START, end: WAKE_END };
	const stored = await instance.services.backend.scan(instance.assignment, range);
	if (instance.config.hasState) instance.state.load(readState(entriesOf(stored, SUBSPACE_STATE)));
	const replies = entriesOf(stored, SUBSPACE_REPLIES);
	if (replies.length > 0) instance.calls.load(replies, instance.now());
}

async function wake(instance: ActorInstance): Promise<void> {
	const { config, options } = instance;
	instance.enter("createVars");
	if (config.createVars) {
		instance.vars = await withTimeout(
			instance,
			"createVars",
			options.createVarsTimeout,
			config.createVars(instance.contexts.actor, {}),
		);
	} else if (config.hasVars) {
		instance.vars = structuredClone(config.vars);
	}
	instance.enter("onWake");
	if (config.onWake) await settled(config.onWake(instance.contexts.actor));
	instance.enter("ready");
	instance.saveSoon();
}

/** The record's timestamps follow with the next commit: a wake costs no sync of its own. */
function markAwake(instance: ActorInstance): void {
	const now = instance.now();
	instance.writeRecord({ startTs: now, connectableTs: now, sleepTs: null });
	instance.saveSoon();
}

/** Waits only for what is a promise, so that a start without asynchronous hooks takes few turns. */
function settled<T>(result: T): T | Promise<Awaited<T>> {
	return isPromiseLike(result) ? (Promise.resolve(result) as Promise<Awaited<T>>) : result;
}

/** W-START-5: one limit for the whole start; its error names the hook that was running. */
async function withOverallLimit(
	instance: ActorInstance,
	limitMs: number,
	start: () => Promise<void>,
): Promise<void> {
	let expire!: (error: Error) => void;
	const expired = new Promise<never>((_resolve, reject) => {
		expire = reject;
	});
	const timer = instance.services.timers.schedule(limitMs, () =>
		expire(
			new Error(
				`Actor ${instance.actorId} did not start within ${limitMs} ms (options.startTimeout); it was in ${instance.phase}`,
			),
		),
	);
	try {
		await Promise.race([start(), expired]);
	} finally {
		timer.cancel();
	}
}

function isPublicError(error: unknown): boolean {
	return toWireError(error, { expose: false }).code !== INTERNAL_ERROR_CODE;
}

/** Callers of an actor that exists see no errors of its start, public or not (W-START-2). */
function internal(error: unknown): unknown {
	if (!isPublicError(error)) return error;
	const { message } = error as Error;
	return new Error(message, { cause: error });
}
