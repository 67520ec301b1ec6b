import { withConnections } from "../load/http-connection.ts";
import { quantile } from "../statistics.ts";
import { actionRequest, createActors, outputOf } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

const ALARMS = 1_000;
const ALARMS_SMOKE = 50;
const CONNECTIONS = 16;
/** Alarms are due within this time (ms). */
const WINDOW_MS = 1_000;
/** Actors that are planned first, to learn how long that takes; their alarms come after the benchmark. */
const TRIALS = 64;
const TRIAL_ALARM_MS = 86_400_000;
/** Between planning and the first alarm, beside the time that planning takes twice over (ms). */
const LEAD_MS = 3_000;
const FALL_ASLEEP_MS = 500;
/** How long late alarms are waited for, and how long for some that come twice (ms). */
const PATIENCE_MS = 60_000;
const AFTERWARDS_MS = 300;

/** Actors that all sleep, and whose alarms are due in the same second: how late their actions run. */
export const alarms: Scenario = {
	name: "lateness",
	title: `Lateness of ${ALARMS} alarms of sleeping actors due in the same second, p99`,
	unit: "ms",
	encoding: "json",
	subjects: ["published", "ours"],
	stepMsMax: 300_000,
	targets: [{ valueMax: 50 }, { against: "published", ratioMax: 1 }],
	async prepare(server, scale) {
		const isSmoke = scale.sampleMs < 1_000;
		const count = isSmoke ? ALARMS_SMOKE : ALARMS;
		const trials = await createActors(server.port, "trial-", TRIALS, "sleeper");
		const ids = await createActors(server.port, "alarm-", count, "sleeper");
		const [witness] = (await createActors(server.port, "witness-", 1)) as [string];
		let rounds = 0;
		return {
			async sample() {
				const firstMs = await withConnections(server.port, CONNECTIONS, async (connections) => {
					/** Plans an alarm for each actor and puts it to sleep. */
					const plan = async (actors: readonly string[], dueMs: (index: number) => number) => {
						let next = 0;
						await Promise.all(
							connections.map(async (connection) => {
								while (next < actors.length) {
									const index = next++;
									const id = actors[index]!;
									await connection.call(actionRequest(id, "alarmAt", dueMs(index)));
									await connection.call(actionRequest(id, "sleep"));
								}
							}),
						);
					};
					const beganMs = Date.now();
					await plan(trials, () => beganMs + TRIAL_ALARM_MS);
					const planningMs = ((Date.now() - beganMs) / TRIALS) * count;
					const first = Math.ceil(Date.now() + LEAD_MS + 2 * planningMs);
					await plan(ids, (index) => first + ((index * 997) % WINDOW_MS));
					return first;
				});
				const leftMs = firstMs - FALL_ASLEEP_MS - Date.now();
				if (leftMs < 0) throw new Error(`planning took ${-leftMs} ms too long`);
				await pause(leftMs);
				const before = await server.stats();
				await pause(firstMs + WINDOW_MS - Date.now());
				// Connections of their own: servers close those that were idle for a few seconds.
				return withConnections(server.port, 1, async ([connection]) => {
					const ask = (action: string) => connection!.call(actionRequest(witness, action));
					const giveUpMs = Date.now() + PATIENCE_MS;
					while (outputOf(await ask("rung")) < count) {
						if (Date.now() > giveUpMs) throw new Error("not all alarms have come");
						await pause(20);
					}
					const after = await server.stats();
					await pause(AFTERWARDS_MS);
					rounds += 1;
					const late = (JSON.parse(await ask("takeLateness")) as { output: number[] }).output;
					if (late.length !== count) throw new Error(`${late.length} of ${count} alarms came`);
					const sorted = late.sort((left, right) => left - right);
					if (sorted[0]! < 0) throw new Error(`an alarm was ${-sorted[0]!} ms early`);
					return {
						value: quantile(sorted, 0.99),
						details: {
							p50Ms: quantile(sorted, 0.5),
							maxMs: sorted.at(-1)!,
							cpuMicros: (after.cpuMicros - before.cpuMicros) / count,
						},
					};
				});
			},
			verify: () =>
				withConnections(server.port, 1, async ([connection]) => {
					for (const id of ids) {
						const rung = outputOf(await connection!.call(actionRequest(id, "count")));
						if (rung !== rounds) throw new Error(`an alarm came ${rung} times in ${rounds} rounds`);
					}
				}),
			close: async () => {},
		};
	},
};

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
