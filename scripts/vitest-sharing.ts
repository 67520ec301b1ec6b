import { globSync } from "node:fs";
import { repoRoot } from "./lib/workspaces.ts";

/**
 * Files that use nothing of their process that others could miss or find changed: no environment, globals, signals, heap
 * or working directory. They share processes and loaded modules: starting anew for each cost more than what most of them do.
 */
export const sharing: readonly string[] = globSync(
	[
		"packages/protocol/test/*.test.ts",
		"packages/protocol/test/runner/*.test.ts",
		"packages/engine/test/{alarms,api,gateway,placement,runners}/*.test.ts",
		"packages/rivetkit/test/{actor,atomic,inspector,kv,queue,runtime,schedule,state,workflow}/*.test.ts",
	],
	{
		cwd: repoRoot,
		exclude: [
			// Measure the heap.
			"packages/rivetkit/test/queue/volume.test.ts",
			"packages/rivetkit/test/runtime/{lazy-heap,resting-bytes}.test.ts",
			// Changes the environment.
			"packages/rivetkit/test/kv/kv.test.ts",
			// On the PostgreSQL of the run.
			"packages/engine/test/api/engine-restart.test.ts",
			"packages/rivetkit/test/inspector/asleep.test.ts",
			"packages/rivetkit/test/runtime/{on-postgres,start}.test.ts",
		],
	},
);
