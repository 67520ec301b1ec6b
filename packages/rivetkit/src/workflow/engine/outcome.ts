import { RollbackCheckpointError } from "../errors.ts";
import type { Blocked } from "../history/head.ts";
import { publicError, type StoredError, storeError } from "../history/stored-error.ts";
import { checkSize, recordValue } from "../operations/value.ts";
import type { WorkflowEngine } from "./engine.ts";
import type { Execution, ExecutionEnd } from "./execution.ts";

/** A blocked workflow is tried again after this (ms), doubling to the most. */
const BLOCKED_FIRST_MS = 1_000;
const BLOCKED_MAX_MS = 300_000;

/** Records, logs and reports how a run of the function ended. Resolves when the workflow may go on. */
export function settle(
	engine: WorkflowEngine,
	end: ExecutionEnd,
	execution: Execution,
): Promise<void> {
	switch (end.kind) {
		case "returned":
			return completed(engine, end.value);
		case "threw":
			return threw(engine, end.error, execution);
		case "blocked":
			if (end.error instanceof RollbackCheckpointError) return failed(engine, end.error);
			return blocked(engine, end.error);
		case "stopped":
			return Promise.resolve();
	}
}

async function completed(engine: WorkflowEngine, value: unknown): Promise<void> {
	const { head, host } = engine;
	try {
		const recorded = recordValue(host, value);
		checkSize(recorded, "output", engine.maxEntrySize);
		if (recorded.bytes !== undefined) head.output = recorded.bytes;
	} catch (error) {
		host.log.warn({ err: error }, "what the workflow returned cannot be stored");
	}
	await engine.end("completed");
	if (engine.isRolledBack) return;
	host.log.info({}, "the workflow has completed");
}

async function threw(engine: WorkflowEngine, error: unknown, execution: Execution): Promise<void> {
	const { head } = engine;
	const stored = storeError(error);
	tellFailed(engine, error, stored);
	head.error = stored;
	if (execution.root.compensable === 0) return engine.end("failed");
	head.state = "rolling_back";
	engine.writeHead();
	await engine.durable();
}

async function failed(engine: WorkflowEngine, error: unknown): Promise<void> {
	const stored = storeError(error);
	engine.head.error = stored;
	tellFailed(engine, error, stored);
	await engine.end("failed");
}

function tellFailed(engine: WorkflowEngine, error: unknown, stored: StoredError): void {
	const { host } = engine;
	host.log.error({ err: error }, "the workflow has failed");
	engine.report({ workflow: { workflowId: host.actorId, error: publicError(stored) } });
}

/**
 * The code does not fit: the history stays as it is, and it is tried again later (workflows 9.3). Resolves
 * when the time for that has come.
 */
export function blocked(engine: WorkflowEngine, error: unknown): Promise<void> {
	const { head, host } = engine;
	const stored = storeError(error);
	const before = engine.blockedLast;
	const isNews = before?.error.message !== stored.message;
	const attempts = (isNews ? 0 : before!.attempts) + 1;
	const delayMs = Math.min(BLOCKED_MAX_MS, BLOCKED_FIRST_MS * 2 ** (attempts - 1));
	const now: Blocked = { error: stored, attempts, retryAt: host.now() + delayMs };
	head.blocked = now;
	engine.blockedLast = now;
	host.log.error({ err: error, attempts, retryAt: now.retryAt }, "the workflow is blocked");
	if (isNews) {
		engine.report({ workflow: { workflowId: host.actorId, error: publicError(stored) } });
	}
	engine.writeHead();
	return engine.waitFor(now.retryAt);
}
