// A check that hangs, with something that keeps the process, before one that passes.
import { runChecks } from "../../../scripts/lib/checks.ts";

process.exitCode = await runChecks(
	[
		{ title: "hangs", run: () => new Promise<void>(() => setInterval(() => {}, 1_000)) },
		{ title: "passes", run: () => {} },
	],
	{ checkMs: 50, exitMs: 50 },
);
