// What metrics and traces cost: processor time per call with nothing recorded, with metrics (as in production), with
// metrics and traces (as in development), in short turns; see README.md beside this folder.
//   node benchmarks/telemetry/main.ts [--only sockets|in-process] [--scenario queues] [--launches 8] [--rounds 64] [--folder /tmp] [--write NAME]

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

/** A second's work each. */
const ROUNDS_OF_BLOCK = 8;
const IN_PROCESS_ROUNDS_OF_BLOCK = 64;

const { values } = parseArgs({
	options: {
		only: { type: "string" },
		/** Of those over sockets: what their titles contain. */
		scenario: { type: "string", default: "" },
		/** Of each launch over sockets; a multiple of 8; there are 32 times as many without. */
		rounds: { type: "string", default: "64" },
		/** A multiple of 8, for each setting to be started first as often as last. */
		launches: { type: "string", default: "8" },
		folder: { type: "string", default: tmpdir() },
		write: { type: "string" },
		/** A file for what was measured over sockets, of each round, as JSON. */
		values: { type: "string" },
	},
});
if (values.write !== undefined && !/^[\w.-]+$/.test(values.write)) {
	throw new Error(`--write takes a file name without folders, got ${values.write}`);
}
const rounds = Number(values.rounds);
if (!(rounds >= ROUNDS_OF_BLOCK && rounds % ROUNDS_OF_BLOCK === 0)) {
	throw new Error(`--rounds takes a multiple of ${ROUNDS_OF_BLOCK}, got ${values.rounds}`);
}
const inProcessRounds = rounds * 32;
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
		const measured = await measureOverSockets(plan, storage);
		if (values.values !== undefined) writeFileSync(values.values, JSON.stringify(measured));
		for (const { title, series } of measured) {
			parts.push(
				`## ${title}, ${plan.launches} launches of ${rounds} rounds`,
				table(COLUMNS, rowsOf(series, ROUNDS_OF_BLOCK)),
			);
		}
	}
} finally {
	rmSync(storage, { recursive: true, force: true });
}
if (values.only !== "sockets") {
	parts.push(
		`## \`registry.handler()\`, 20 actors, no sockets and no disk, ${inProcessRounds} rounds`,
		table(COLUMNS, rowsOf(await measureInProcess(inProcessRounds), IN_PROCESS_ROUNDS_OF_BLOCK)),
	);
}
const machine = `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}`;
const place = isPinned
	? "each server on the same processor, what asks it on another"
	: "not pinned";
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
