import { printable } from "./start-failure.ts";

/**
 * What a process does for its actors before it ends (contract: lifecycle 18): a stop signal lets all of
 * them sleep first, an uncaught exception lets them commit. One set of listeners serves every registry of
 * the process, and handlers of the host program keep working: when there are some, they decide when the
 * process exits.
 */
export interface Guarded {
	/** Stops everything; resolves when it is safe to exit. */
	shutdown(): Promise<void>;
	/** Commits what is written; for the way out after an uncaught exception. */
	flush(): Promise<void>;
	/** Actors that would lose something now; named when a second signal cuts a shutdown short. */
	unsaved(): string[];
}

/** How long an uncaught exception may wait for commits (W-SHUT-4). */
const FLUSH_LIMIT_MS = 2_000;
const SIGNALS = ["SIGTERM", "SIGINT"] as const;
/**
 * A signal this soon after the first is the same one: Ctrl-C reaches a program from the terminal and
 * again from the `npm` that started it.
 */
const SAME_SIGNAL_MS = 1_000;

const guarded = new Set<Guarded>();
let stoppingSince: number | null = null;

/** Adds to what is taken care of; the returned function removes it again. */
export function guardProcess(target: Guarded): () => void {
	if (typeof process === "undefined" || typeof process.on !== "function") return () => {};
	if (guarded.size === 0) listen();
	guarded.add(target);
	return () => {
		guarded.delete(target);
		if (guarded.size === 0) unlisten();
	};
}

function listen(): void {
	for (const signal of SIGNALS) process.on(signal, onSignal);
	process.on("uncaughtException", onUncaughtException);
}

function unlisten(): void {
	for (const signal of SIGNALS) process.off(signal, onSignal);
	process.off("uncaughtException", onUncaughtException);
}

function onSignal(signal: NodeJS.Signals): void {
	const hostDecides = process.listenerCount(signal) > 1;
	if (stoppingSince !== null) {
		if (hostDecides || performance.now() - stoppingSince < SAME_SIGNAL_MS) return;
		const unsaved = [...guarded].flatMap((target) => target.unsaved());
		const list = unsaved.length > 0 ? `; not saved: ${unsaved.join(", ")}` : "";
		console.error(`Second ${signal}: exiting at once${list}`);
		process.exit(1);
	}
	stoppingSince = performance.now();
	void Promise.allSettled([...guarded].map((target) => target.shutdown())).then((outcomes) => {
		stoppingSince = null;
		const failures = outcomes.filter((outcome) => outcome.status === "rejected");
		for (const failure of failures) console.error(failure.reason);
		if (!hostDecides) process.exit(failures.length > 0 ? 1 : 0);
	});
}

function onUncaughtException(error: unknown): void {
	if (process.listenerCount("uncaughtException") > 1) return;
	const limit = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_LIMIT_MS));
	const flushed = Promise.allSettled([...guarded].map((target) => target.flush()));
	void Promise.race([flushed, limit]).then(() => {
		console.error(printable(error));
		process.exit(1);
	});
}
