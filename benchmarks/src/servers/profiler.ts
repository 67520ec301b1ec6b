import { type Profiler, Session } from "node:inspector";

/** What the event loop's thread did while it was watched, by part. Times are self times in µs. */
export interface LoopProfile {
	readonly busyMicros: number;
	readonly idleMicros: number;
	readonly parts: Readonly<Record<string, number>>;
}

const INTERVAL_MICROS = 200;

let session: Session | undefined;

export async function startProfile(): Promise<void> {
	session = new Session();
	session.connect();
	await post("Profiler.enable");
	await post("Profiler.setSamplingInterval", { interval: INTERVAL_MICROS });
	await post("Profiler.start");
}

export async function stopProfile(): Promise<LoopProfile> {
	const { profile } = (await post("Profiler.stop")) as Profiler.StopReturnType;
	session?.disconnect();
	session = undefined;
	return summarize(profile);
}

function post(method: string, parameters: object = {}): Promise<unknown> {
	return new Promise((resolve, reject) => {
		session?.post(method, parameters, (error: Error | null, result?: object) =>
			error === null ? resolve(result) : reject(error),
		);
	});
}

/** Exported for its test. */
export function summarize(profile: Profiler.Profile): LoopProfile {
	const parents = new Map<number, number>();
	const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
	for (const { id, children } of profile.nodes) {
		for (const child of children ?? []) parents.set(child, id);
	}
	/** What runs without a file (built-ins, system calls that are not named below) is its caller's. */
	const partOf = (id: number): string => {
		for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
			const { functionName, url } = nodes.get(at)!.callFrame;
			const part = PARTS.find(([matches]) => matches(functionName, url));
			if (part !== undefined) return part[1];
		}
		return "other";
	};
	const parts: Record<string, number> = {};
	let busyMicros = 0;
	let idleMicros = 0;
	for (const [index, id] of (profile.samples ?? []).entries()) {
		const micros = profile.timeDeltas?.[index] ?? 0;
		const { functionName, url } = nodes.get(id)!.callFrame;
		if (functionName === "(idle)") {
			idleMicros += micros;
			continue;
		}
		// Starting and stopping the profile is not the server's work.
		if (url === "node:inspector") continue;
		const part = partOf(id);
		busyMicros += micros;
		parts[part] = (parts[part] ?? 0) + micros;
	}
	return { busyMicros, idleMicros, parts };
}

type Matches = (functionName: string, url: string) => boolean;
const named = (...names: string[]): Matches => {
	return (functionName, url) => url === "" && names.includes(functionName);
};
const below = (pattern: RegExp): Matches => {
	return (_functionName, url) => pattern.test(url);
};

/** The first that matches counts. */
const PARTS: readonly (readonly [Matches, string])[] = [
	[named("(garbage collector)"), "garbage collection"],
	[named("(program)"), "event loop and other native code"],
	[named("writeBuffer", "writev", "writeUtf8String", "writeLatin1String"), "writing to sockets"],
	[named("fdatasync"), "handing syncs to the thread pool"],
	[below(/\/engine\/\w+\/store\//), "store: SQLite and grouping"],
	[below(/\/engine\/\w+\//), "gateway, management API, placement"],
	[below(/\/protocol\/\w+\//), "codecs, ids, keys"],
	[below(/\/rivetkit\/\w+\/runtime\/commit\//), "runtime: commits and releases"],
	[below(/\/rivetkit\/\w+\//), "runtime: connections, calls, state"],
	[below(/\/ws\/lib\//), "ws: parsing frames"],
	[below(/^node:_http|^node:internal\/http/), "node:http"],
	[below(/\/benchmarks\//), "the actor's own code"],
	[below(/^node:/), "Node: streams, sockets, ticks"],
];
