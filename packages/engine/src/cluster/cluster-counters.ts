import type { LinkCall } from "./link-messages.ts";

export type CallKind = LinkCall["do"];

/** What has happened between this node and the others since it began. */
export class ClusterCounters {
	readonly calls: Readonly<Record<CallKind, { succeeded: number; failed: number }>> = {
		ready: { succeeded: 0, failed: 0 },
		request: { succeeded: 0, failed: 0 },
		openSocket: { succeeded: 0, failed: 0 },
		inspect: { succeeded: 0, failed: 0 },
		inspectSocket: { succeeded: 0, failed: 0 },
		stop: { succeeded: 0, failed: 0 },
		gather: { succeeded: 0, failed: 0 },
		runnerMoved: { succeeded: 0, failed: 0 },
		askRunners: { succeeded: 0, failed: 0 },
		rooms: { succeeded: 0, failed: 0 },
		dropResting: { succeeded: 0, failed: 0 },
	};
	/** Actors that this node has taken after one that died. */
	takeOvers = 0;
	linksLost = 0;
	leasesLost = 0;
}
