import { decodeBase64 } from "@rivetkit/protocol";
import type { ActorWorkflow } from "../../../actor/workflow-control.types.ts";
import { DATABASE_ROWS_MAX } from "../../database/inspect-database.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { dropMessages, redriveMessages, sendMessage } from "../changes/change-queue.ts";
import { controlWorkflow, replayWorkflow } from "../changes/control-workflow.ts";
import { deleteSchedule } from "../changes/delete-schedule.ts";
import { patchState } from "../changes/patch-state.ts";
import { runAction } from "../changes/run-action.ts";
import { executeSql, readRows, readSchema } from "../changes/use-database.ts";
import { invalid } from "../invalid.ts";
import { answer, CallFailed, ReadyAnswer } from "./answers.ts";
import type { InspectorCall } from "./call.ts";
import { messageChoice, newState, redriveChoice } from "./request-parts.ts";

type Change = (instance: ActorInstance, call: InspectorCall) => Promise<object>;

/** The contract's (protocol 7.2, 8.7). */

export const changeState: Change = async (instance, call) => {
	const state = newState(await call.body());
	await patchState(instance, state, call.request.headers.get("if-match"));
	return { ok: true };
};

export const callAction: Change = async (instance, call) => {
	const args = argumentsIn(await call.body());
	instance.assertAcceptsWork();
	const [name] = call.parameters as [string];
	const outcome = await runAction(instance, name, args, call.request.signal, (output) =>
		answer(output === undefined ? {} : { output }, call.wantsCbor),
	);
	if (outcome.ok) return new ReadyAnswer(outcome.answer);
	throw new CallFailed(outcome.error);
};

/** A list under `args`; or, under `properties`, an object that is the only argument. */
function argumentsIn({ args, properties }: Readonly<Record<string, unknown>>): unknown[] {
	if (properties !== undefined) {
		if (args !== undefined) throw invalid("either args or properties, not both");
		return [namedValues(properties)];
	}
	if (args === undefined) return [];
	if (!Array.isArray(args)) throw invalid("args must be a list");
	return args;
}

export const addMessage: Change = async (instance, call) => {
	const { name, body } = await call.body();
	if (typeof name !== "string" || name === "") throw invalid("name must be the name of a queue");
	return sendMessage(instance, name, body);
};

export const clearQueue: Change = async (instance, { query }) => {
	const name = query.get("name");
	await dropMessages(instance, ({ header }) => name === null || header.name === name);
	return {};
};

export const databaseSchema: Change = async (instance) => ({
	schema: await readSchema(instance),
});

export const databaseRows: Change = async (instance, call) => {
	const table = call.query.get("table");
	if (table === null || table === "") throw invalid("table must be the name of a table");
	const limit = call.number("limit", { otherwise: 100, max: DATABASE_ROWS_MAX });
	const offset = call.number("offset", { otherwise: 0, max: Number.MAX_SAFE_INTEGER });
	return { rows: await readRows(instance, table, { limit, offset }, call.request.signal) };
};

export const databaseExecute: Change = async (instance, call) => {
	const { sql, args, properties } = await call.body();
	if (typeof sql !== "string") throw invalid("sql must be a text");
	if (args !== undefined && !Array.isArray(args)) throw invalid("args must be a list");
	const request = { sql, args, properties: namedValues(properties) };
	return { rows: await executeSql(instance, request, call.request.signal) };
};

function namedValues(properties: unknown): Readonly<Record<string, unknown>> | undefined {
	if (properties === undefined) return undefined;
	if (typeof properties === "object" && properties !== null && !Array.isArray(properties)) {
		return properties as Readonly<Record<string, unknown>>;
	}
	throw invalid("properties must be an object");
}

export const replayWorkflowFrom: Change = async (instance, call) => {
	const { entryId } = await call.body();
	if (entryId !== undefined && entryId !== null && typeof entryId !== "string") {
		throw invalid("entryId must be the id of a step");
	}
	const { view } = await replayWorkflow(instance, entryId ?? undefined);
	return { history: await view.history(call.valueForm), isWorkflowEnabled: true };
};

/** Ours. */

export const dropMessage: Change = async (instance, call) => ({
	dropped: (await dropMessages(instance, messageChoice(call))) > 0,
});

export const redriveDeadLetters: Change = async (instance, call) => {
	return { redriven: await redriveMessages(instance, redriveChoice(await call.body())) };
};

export const removeSchedule: Change = async (instance, { parameters }) => ({
	deleted: await deleteSchedule(instance, parameters[0]!),
});

export const wakeUp: Change = async () => ({ ok: true });

/** Does it, and answers with the workflow's status. */
async function control(
	instance: ActorInstance,
	change: (workflow: ActorWorkflow) => unknown,
): Promise<object> {
	return controlWorkflow(instance, async (workflow) => {
		await change(workflow);
		return { workflow: workflow.status() };
	});
}

export const pauseWorkflow: Change = (instance) => control(instance, (one) => one.pause());

export const resumeWorkflow: Change = (instance) => control(instance, (one) => one.resume());

export const wakeWorkflow: Change = (instance) => control(instance, (one) => one.wake());

export const cancelWorkflow: Change = async (instance, call) => {
	const { reason, rollback } = await call.body();
	if (reason !== undefined && typeof reason !== "string") throw invalid("reason must be a text");
	if (rollback !== undefined && typeof rollback !== "boolean") {
		throw invalid("rollback must be true or false");
	}
	return control(instance, (one) => one.cancel({ reason, rollback }));
};

export const recoverWorkflow: Change = async (instance, call) => {
	const { skipRollback = [] } = await call.body();
	if (!Array.isArray(skipRollback) || !skipRollback.every((id) => typeof id === "string")) {
		throw invalid("skipRollback must be a list of ids of steps");
	}
	return control(instance, (one) => one.recover({ skipRollback }));
};

export const exportWorkflow: Change = async (instance) => ({
	exported: await controlWorkflow(instance, (one) => one.export()),
});

export const importWorkflow: Change = async (instance, call) => {
	const { exported } = await call.body();
	const bytes = typeof exported === "string" ? decodeBase64(exported) : exported;
	if (!(bytes instanceof Uint8Array)) throw invalid("exported must be what an export has answered");
	return control(instance, (one) => one.import(bytes));
};
