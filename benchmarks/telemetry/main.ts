// What metrics and traces cost: processor time per call with nothing recorded, with metrics (as in production), with
// metrics and traces (as in development), in short turns; see README.md beside this folder.
//   node benchmarks/telemetry/main.ts [--only sockets|in-process] [--scenario queues] [--launches 12] [--rounds 30] [--folder /tmp] [--write NAME]

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { pin } from "../src/pin.ts";
import { table } from "../src/report.ts";
import { COLUMNS, rowsOf } from "./comparison.ts";
import { measureInProcess } from "./in-process.ts";
import { measureOverSockets } from "./over-sockets.ts";

const { values } = parseArgs({
	options: {
		only: { type: "string" },
		/** Of those over sockets: what their titles contain. */
		scenario: { type: "string", default: "" },
		/** Of each launch over sockets; there are eight times as many without. */
		rounds: { type: "string", default: "30" },
		launches: { type: "string", default: "12" },
		folder: { type: "string", default: tmpdir() },
		write: { type: "string" },
	},
});
if (values.write !== undefined && !/^[\w.-]+$/.test(values.write)) {
	throw new Error(`--write takes a file name without folders, got ${values.write}`);
}
const rounds = Number(values.rounds);
const inProcessRounds = rounds * 8;
/** Two processors may not be equally fast: all servers have their turns on the first one, and the load comes from this one. */
const isPinned = pin(process.pid, 1);
const serversProcessor = isPinned ? 0 : null;
const plan = {
	rounds,
	launches: Number(values.launches),
	scenario: values.scenario,
	serversProcessor,
};
const loadBefore = loadavg()[0]!.toFixed(2);

const storage = mkdtempSync(join(values.folder, "rivetkit-bench-"));
const parts: string[] = [];
try {
	if (values.only !== "in-process") {
		for (const { title, series } of await measureOverSockets(plan, storage)) {
			parts.push(
				`## ${title}, ${plan.launches} launches of ${rounds} rounds`,
				table(COLUMNS, rowsOf(series)),
			);
		}
	}
} finally {
	rmSync(storage, { recursive: true, force: true });
}
if (values.only !== "sockets") {
	parts.push(
		`## \`registry.handler()\`, 20 actors, no sockets and no disk, ${inProcessRounds} rounds`,
		table(COLUMNS, rowsOf(await measureInProcess(inProcessRounds))),
	);
}
const machine = `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}`;
const place = isPinned ? "the servers on one processor, the load on another" : "on any processor";
const text = [`${machine}, load average before it ${loadBefore}; ${place}`, ...parts].join("\n\n");
console.log(text);
if (values.write !== undefined) {
	const page = fileURLToPath(new URL(`../results/${values.write}.md`, import.meta.url));
	const date = new Date().toISOString().slice(0, 10);
	writeFileSync(
		page,
		`# Metrics and traces: ${values.write}\n\n${date}. How to read it: [README](../README.md#traces-and-metrics).\n\n${text}\n`,
	);
}
// The actors stay awake.
process.exit(0);
