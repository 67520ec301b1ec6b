import { expect, test } from "vitest";
import { summarize } from "../src/servers/profiler.ts";

const frame = (functionName: string, url = "") => ({
	functionName,
	url,
	scriptId: "0",
	lineNumber: 0,
	columnNumber: 0,
});

test("a profile is summed up by part: files by their package, built-ins with their caller, the profiler not at all", () => {
	const store = "file:///x/packages/engine/dist/store/sqlite/commit-queue.js";
	const runtime = "file:///x/packages/rivetkit/dist/runtime/commit/committer.js";
	const profile = summarize({
		startTime: 0,
		endTime: 100,
		nodes: [
			{ id: 1, callFrame: frame("(root)"), children: [2, 3, 5, 6, 7, 8] },
			{ id: 2, callFrame: frame("(idle)") },
			{ id: 3, callFrame: frame("run", store), children: [4] },
			{ id: 4, callFrame: frame("get") },
			{ id: 5, callFrame: frame("cut", runtime) },
			{ id: 6, callFrame: frame("(garbage collector)") },
			{ id: 7, callFrame: frame("somewhere", "file:///elsewhere.js") },
			{ id: 8, callFrame: frame("post", "node:inspector") },
		],
		samples: [2, 3, 4, 5, 6, 7, 8],
		timeDeltas: [50, 10, 5, 4, 3, 2, 70],
	});
	expect(profile).toEqual({
		busyMicros: 24,
		idleMicros: 50,
		parts: {
			"store: SQLite and grouping": 15,
			"runtime: commits and releases": 4,
			"garbage collection": 3,
			other: 2,
		},
	});
});
