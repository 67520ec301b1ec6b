import type { ServerProcess } from "../server-process.ts";
import type { Subject } from "../subjects.ts";
import type { Encoding } from "../wire.ts";

/** How large a run is. `--smoke` makes everything tiny: it shows that it works, not how fast it is. */
export interface Scale {
	/** Measured time of one sample. */
	readonly sampleMs: number;
	/** Unmeasured time of the first sample of each server, for its compiler to warm up. */
	readonly warmUpMs: number;
	readonly rounds: number;
	/** Actors in the memory scenario. The published package needs 3 ms and 200 KiB for each. */
	readonly idleActors: { readonly published: number; readonly others: number };
}

export interface Sample {
	/** In the scenario's unit. */
	readonly value: number;
	/** Server processor time per operation in microseconds, latencies in ms, and the like. */
	readonly details: Readonly<Record<string, number>>;
}

/** A scenario, set up against one server. */
export interface Prepared {
	sample(durationMs: number): Promise<Sample>;
	/** Throws when the server lost or invented an operation. */
	verify(): Promise<void>;
	close(): Promise<void>;
}

/** The median of `ours` against another subject, or of its value or a detail against a number. */
export type Target =
	| { readonly against: Exclude<Subject["name"], "ours">; readonly ratioMin: number }
	| { readonly against: Exclude<Subject["name"], "ours">; readonly ratioMax: number }
	| { readonly valueMax: number }
	| { readonly valueMin: number }
	| { readonly detail: string; readonly detailMax: number };

export interface Scenario {
	readonly name: string;
	readonly title: string;
	readonly unit: string;
	/** What travels: the same for every server. */
	readonly encoding: Encoding;
	/** The servers that have the feature; absent for all. */
	readonly subjects?: readonly Subject["name"][];
	/** Where the servers store: `memory` needs a memory file system, and costs processor time alone. */
	readonly storage?: "disk" | "memory";
	/** Samples per server, when more would tell no more. */
	readonly roundsMax?: number;
	/** How long a step may take, when that is more than usual. */
	readonly stepMsMax?: number;
	readonly targets: readonly Target[];
	prepare(server: ServerProcess, scale: Scale): Promise<Prepared>;
}
