import { globSync } from "node:fs";
import { repoRoot } from "./lib/workspaces.ts";

/**
 * Files that use nothing of their process that others could miss or find changed: no environment, globals, signals, heap
 * or working directory. They share processes and loaded modules: starting anew for each cost more than what most of them do.
 */
export const sharing: readonly string[] = globSync(
	[
		"benchmarks/test/*.test.ts",
		"packages/create-rivetkit/test/*.test.ts",
		"packages/dashboard/test/*.test.ts",
		"packages/engine/test/{alarms,api,cluster,gateway,placement,runners,server,serverless,store,transfer}/**/*.test.ts",
		"packages/protocol/test/*.test.ts",
		"packages/protocol/test/runner/*.test.ts",
		"packages/rivetkit/test/{actor,atomic,backends,client,cluster,config,crash,database,driver-helpers,errors}/*.test.ts",
		"packages/rivetkit/test/{cli,inspector,kv,model,queue,registry,runner,runtime,schedule,split,sqlite,state}/*.test.ts",
		"packages/rivetkit/test/{telemetry,timers,transfer,utils,workflow}/*.test.ts",
		"tests/repo/*.test.ts",
		"tests/seed/extract-examples.test.ts",
	],
	{
		cwd: repoRoot,
		exclude: [
			// Measure the heap, or look at what is left of it.
			"packages/rivetkit/test/atomic/state-journal.test.ts",
			"packages/rivetkit/test/database/access-queue.test.ts",
			"packages/rivetkit/test/queue/volume.test.ts",
			"packages/rivetkit/test/runtime/{lazy-heap,resting-bytes}.test.ts",
			"packages/rivetkit/test/telemetry/turned-off.test.ts",
			// Change the environment, or are about that of processes they start.
			"packages/create-rivetkit/test/main.test.ts",
			"packages/rivetkit/test/client/process-exit.test.ts",
			"packages/rivetkit/test/database/durability.test.ts",
			"packages/rivetkit/test/kv/kv.test.ts",
			"packages/rivetkit/test/registry/{develop,inspection,registry,registry-config}.test.ts",
			"packages/rivetkit/test/runner/engine-killed.test.ts",
			"packages/rivetkit/test/sqlite/query-processes.test.ts",
			"tests/repo/start.test.ts",
			// Change what is global, for a while: classes, the process, its timers.
			"packages/dashboard/test/{follow,save}.test.ts",
			"packages/rivetkit/test/client/connection.test.ts",
			"packages/rivetkit/test/driver-helpers/{registry,web-sockets}.test.ts",
			"packages/rivetkit/test/inspector/same-secret.test.ts",
			"packages/rivetkit/test/registry/{fake-time,setup-test}.test.ts",
			"packages/rivetkit/test/sqlite/load-engine.test.ts",
			"packages/rivetkit/test/telemetry/{metrics,open-telemetry,trace-budget}.test.ts",
			"packages/rivetkit/test/utils/{browser-entries,utils}.test.ts",
			// Set what the tests of other files stand on, and load those.
			"packages/engine/test/cluster/api.test.ts",
			"packages/rivetkit/test/backends/*-on-postgres.test.ts",
		],
	},
);
