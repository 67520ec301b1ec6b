// What traces and metrics cost: the same server with nothing recorded, with metrics (as in production), and with
// metrics and traces (as in development), in turns.
//   node benchmarks/telemetry/main.ts [rounds] [seconds] [folder]

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { httpActions } from "../src/scenarios/http-actions.ts";
import { queueMessages } from "../src/scenarios/queue-messages.ts";
import type { Prepared, Sample, Scale, Scenario } from "../src/scenarios/scenario.ts";
import { websocketActions } from "../src/scenarios/websocket-actions.ts";
import { ServerProcess } from "../src/server-process.ts";
import { median } from "../src/statistics.ts";
import { subjects } from "../src/subjects.ts";

const SETTINGS = ["off", "metrics", "all"] as const;
type Setting = (typeof SETTINGS)[number];

const [rounds = 9, seconds = 1] = process.argv.slice(2, 4).map(Number);
const folder = process.argv[4] ?? tmpdir();
const sampleMs = seconds * 1_000;
const scale: Scale = {
	sampleMs,
	warmUpMs: sampleMs,
	rounds,
	idleActors: { published: 1, others: 1 },
};
const ours = subjects.find(({ name }) => name === "ours")!;

interface Contender {
	readonly setting: Setting;
	readonly server: ServerProcess;
	readonly prepared: Prepared;
	readonly samples: Sample[];
}

async function contender(
	scenario: Scenario,
	setting: Setting,
	storage: string,
): Promise<Contender> {
	process.env.BENCH_TELEMETRY = setting;
	const server = await ServerProcess.start(ours, storage);
	const prepared = await scenario.prepare(server, scale);
	await prepared.sample(scale.warmUpMs);
	return { setting, server, prepared, samples: [] };
}

/** The median over the rounds of what a setting has against `off` in the same round, in percent. */
function against(
	off: readonly Sample[],
	samples: readonly Sample[],
	read: (sample: Sample) => number,
): string {
	const ratios = samples.map((sample, round) => read(sample) / read(off[round]!));
	const percent = (median(ratios) - 1) * 100;
	return `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`;
}

mkdirSync(folder, { recursive: true });
const storage = mkdtempSync(join(folder, "rivetkit-bench-"));
console.log("| scenario | recorded | per second | processor µs each | throughput | processor |");
console.log("|---|---|---|---|---|---|");
try {
	for (const scenario of [
		httpActions(100),
		websocketActions(1, 64),
		websocketActions(64, 1),
		queueMessages(100),
	]) {
		const contenders: Contender[] = [];
		try {
			for (const setting of SETTINGS) {
				contenders.push(await contender(scenario, setting, storage));
			}
			for (let round = 0; round < rounds; round++) {
				// Each is first in its turn.
				for (let at = 0; at < contenders.length; at++) {
					const { prepared, samples } = contenders[(at + round) % contenders.length]!;
					samples.push(await prepared.sample(sampleMs));
				}
			}
			const off = contenders[0]!.samples;
			for (const { setting, samples, prepared } of contenders) {
				await prepared.verify();
				await prepared.close();
				const rate = Math.round(median(samples.map(({ value }) => value)));
				const cpu = median(samples.map(({ details }) => details.cpuMicros!));
				const compared =
					setting === "off"
						? ["", ""]
						: [
								against(off, samples, ({ value }) => value),
								against(off, samples, ({ details }) => details.cpuMicros!),
							];
				console.log(
					`| ${[scenario.name, setting, rate.toLocaleString("en"), cpu.toFixed(1), ...compared].join(" | ")} |`,
				);
			}
		} finally {
			for (const { server } of contenders) await server.stop();
		}
	}
} finally {
	rmSync(storage, { recursive: true, force: true });
}
