import type { DurableHost } from "../../runtime/durable/durable-host.ts";

const STEP = [
	"name",
	"run",
	"maxRetries",
	"maxAttempts",
	"retryBackoffBase",
	"retryBackoffMax",
	"timeout",
	"retryOnTimeout",
	"ephemeral",
	"atomic",
	"rollback",
];

/** Operations with the options they take. */
const TAKEN = {
	step: new Set(STEP),
	tryStep: new Set([...STEP, "catch"]),
	try: new Set(["name", "run", "catch"]),
	loop: new Set([
		"name",
		"run",
		"state",
		"commitInterval",
		"historyEvery",
		"historyPruneInterval",
		"historyKeep",
		"historySize",
	]),
	"queue.next": new Set(["names", "timeout", "completable", "allowOpen"]),
	"queue.nextBatch": new Set(["names", "timeout", "completable", "allowOpen", "count"]),
} as const;

const told = new WeakMap<DurableHost, Set<string>>();

/**
 * Warns once of an option that an operation does not take. It does nothing, as ever (a `nmes` for `names` waits for all
 * queues), and blocks nothing: a workflow that has run with it goes on.
 */
export function warnOfUnknownOptions(
	host: DurableHost,
	operation: keyof typeof TAKEN,
	entry: unknown,
	options: unknown,
): void {
	if (typeof options !== "object" || options === null) return;
	const taken: ReadonlySet<string> = TAKEN[operation];
	for (const option of Object.keys(options)) {
		if (taken.has(option)) continue;
		const about = `${operation} ${option}`;
		const known = told.get(host) ?? new Set();
		told.set(host, known);
		if (known.has(about)) continue;
		known.add(about);
		host.log.warn(
			{ operation: `ctx.${operation}`, entry: String(entry), option, takes: [...taken] },
			"an operation of a workflow does not take this option; it does nothing",
		);
	}
}
