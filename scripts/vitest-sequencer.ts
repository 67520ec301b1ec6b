import { existsSync } from "node:fs";
import { join } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { repoRoot } from "./lib/workspaces.ts";

/** Files that take a quarter of a minute and more, longest first. Most of them wait: for processes, leases and alarms. */
const LONG_FILES = [
	"examples/next-counter/test/browser/next-counter.test.ts",
	"packages/rivetkit/test/crash/money.test.ts",
	"packages/rivetkit/test/queue/volume.test.ts",
	"packages/rivetkit/test/crash/workflow.test.ts",
	"packages/rivetkit/test/registry/shutdown.test.ts",
	"packages/rivetkit/test/workflow/crash.test.ts",
	"packages/rivetkit/test/backends/workflow-on-postgres.test.ts",
	"packages/rivetkit/test/cli/actors.test.ts",
	"packages/rivetkit/test/crash/schedules.test.ts",
	"packages/rivetkit/test/runner/runner.test.ts",
	"packages/engine/test/cli/rivet-engine.test.ts",
	"packages/rivetkit/test/interop/stock-engine.test.ts",
	"tests/typescript/public-types.test.ts",
	"packages/rivetkit/test/cluster/cluster.test.ts",
	"packages/engine/test/server/listen.test.ts",
	"tests/built/guide.test.ts",
	"packages/engine/test/store/postgres/faults.test.ts",
	"packages/rivetkit/test/crash/increments.test.ts",
	"packages/rivetkit/test/atomic/interleaving.test.ts",
	"packages/rivetkit/test/database/crash.test.ts",
	"examples/jwt-auth/test/jwt-auth.test.ts",
	"packages/vite/test/plugin.test.ts",
	"tests/seed/run.test.ts",
	"packages/engine/test/store/model.test.ts",
];

/** Where among the others the last of them stands. */
const UNTIL = 0.6;

/**
 * The order of test files. A fresh clone has no durations of earlier runs, and by their sizes some of the longest files
 * would start last, alone. All of them at the start would leave the processors idle, or start more processes at once than
 * they can. So they are spread: there is always one that waits beside those that compute, and none starts late.
 *
 * Files that share processes come first, and follow each other: a shared process ends, with all that it has loaded, when the
 * next file of the queue has one of its own.
 */
export default class Sequencer extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const ranks = new Map(LONG_FILES.map((file, rank) => [join(repoRoot, file), rank]));
		for (const file of ranks.keys()) {
			if (!existsSync(file)) throw new Error(`scripts/vitest-sequencer.ts names ${file}`);
		}
		const sorted = await super.sort(files);
		const shared = sorted.filter((file) => !file.project.config.isolate);
		const apart = sorted.filter((file) => file.project.config.isolate);
		return [...spread(shared, ranks), ...spread(apart, ranks)];
	}
}

function spread(
	files: readonly TestSpecification[],
	ranks: ReadonlyMap<string, number>,
): TestSpecification[] {
	const rankOf = ({ moduleId }: TestSpecification): number => ranks.get(moduleId) ?? -1;
	const others = files.filter((file) => rankOf(file) < 0);
	const long = files.filter((file) => rankOf(file) >= 0).sort((a, b) => rankOf(a) - rankOf(b));
	const between = Math.floor((others.length * UNTIL) / Math.max(long.length, 1));
	const parts = long.flatMap((file, index) => [
		file,
		...others.slice(index * between, (index + 1) * between),
	]);
	return [...parts, ...others.slice(long.length * between)];
}
