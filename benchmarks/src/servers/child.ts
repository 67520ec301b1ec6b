import { readdirSync } from "node:fs";
import { type LoopProfile, startProfile, stopProfile } from "./profiler.ts";

/** What a server process tells of itself when asked. */
export interface ServerStats {
	/** User and system time since the start, in microseconds. */
	readonly cpuMicros: number;
	readonly rssBytes: number;
	readonly heapBytes: number;
	readonly openFiles: number;
}

export type ToServerProcess = {
	readonly type: "stats" | "collect" | "profile" | "profiled";
};
export type FromServerProcess =
	| { readonly type: "ready"; readonly port: number }
	| { readonly type: "stats"; readonly stats: ServerStats }
	| { readonly type: "profiled"; readonly profile: LoopProfile };

const COLLECT_ROUNDS = 6;
const COLLECT_PAUSE_MS = 250;

/** Announces the server to the benchmark, answers its questions, and ends with it. */
export function announce(port: number): void {
	if (process.send === undefined)
		throw new Error("this file is started by the benchmark, not by hand");
	process.on("message", (message: ToServerProcess) => {
		void answer(message).then(say);
	});
	process.on("disconnect", () => process.exit(0));
	say({ type: "ready", port });
}

function say(message: FromServerProcess): void {
	process.send?.(message);
}

async function answer({ type }: ToServerProcess): Promise<FromServerProcess> {
	if (type === "profiled") return { type, profile: await stopProfile() };
	if (type === "profile") await startProfile();
	if (type === "collect") await collectGarbage();
	return { type: "stats", stats: readStats() };
}

function readStats(): ServerStats {
	const cpu = process.cpuUsage();
	const memory = process.memoryUsage();
	return {
		cpuMicros: cpu.user + cpu.system,
		rssBytes: memory.rss,
		heapBytes: memory.heapUsed + memory.external,
		openFiles: readdirSync("/proc/self/fd").length,
	};
}

/** Several full collections with pauses: finalizers run, and emptied pages go back to the system. */
async function collectGarbage(): Promise<void> {
	if (globalThis.gc === undefined) throw new Error("the server process needs --expose-gc");
	for (let round = 0; round < COLLECT_ROUNDS; round += 1) {
		globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" });
		await new Promise((resolve) => setTimeout(resolve, COLLECT_PAUSE_MS));
	}
}
