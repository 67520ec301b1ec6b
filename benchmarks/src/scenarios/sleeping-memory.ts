import { withConnections } from "../load/http-connection.ts";
import { actionRequest, actorIdOf, createRequest, incrementRequest } from "./actors.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = 32;
/** Actors before the first reading: code is compiled, pools and tables have their size. */
const WARM_UP_FRACTION = 0.5;
const FALL_ASLEEP_MS = 2_000;

/** How many times as many actors sleep with an alarm. The published package needs 3 ms for each. */
const WITH_ALARMS_FACTOR = 10;
/** Alarms are this far away (ms): none comes while we look. */
const ALARM_MS = 7 * 86_400_000;
/** How long the processor time of a server is watched that has nothing to do (ms). */
const IDLE_MS = 5_000;

/** Heap that actors take while they sleep: they were created, called once, and put to sleep. */
export const sleepingMemory: Scenario = {
	...sleeping(false),
	name: "sleeping-memory",
	title: "Heap per sleeping actor",
};

/** The same with an alarm each, and what the server's processor does while none of them is due. */
export const sleepingWithAlarms: Scenario = {
	...sleeping(true),
	name: "sleeping-alarms",
	title: "Heap per sleeping actor with an alarm",
	stepMsMax: 900_000,
};

function sleeping(hasAlarm: boolean): Omit<Scenario, "name" | "title"> {
	return {
		unit: "bytes",
		encoding: "json",
		subjects: ["published", "ours"],
		roundsMax: 1,
		// None of them: what is measured is the spread of a whole heap over the actors.
		targets: [{ valueMax: 32 }],
		async prepare(server, scale) {
			const { published, others } = scale.idleActors;
			const factor = hasAlarm ? WITH_ALARMS_FACTOR : 1;
			const count = server.subject.name === "published" ? published : others * factor;
			let next = 0;
			const liveAndSleep = async (amount: number): Promise<void> => {
				const end = next + amount;
				await withConnections(server.port, CONNECTIONS, async (connections) => {
					await Promise.all(
						connections.map(async (connection) => {
							while (next < end) {
								const created = await connection.call(createRequest(`asleep-${next++}`, "sleeper"));
								const id = actorIdOf(created);
								await connection.call(incrementRequest(id, 1));
								if (hasAlarm) {
									await connection.call(actionRequest(id, "alarmAt", Date.now() + ALARM_MS));
								}
								await connection.call(actionRequest(id, "sleep"));
							}
						}),
					);
				});
				await new Promise((resolve) => setTimeout(resolve, FALL_ASLEEP_MS));
			};
			return {
				async sample() {
					await liveAndSleep(Math.ceil(count * WARM_UP_FRACTION));
					const before = await server.statsAfterCollection();
					await liveAndSleep(count);
					const after = await server.statsAfterCollection();
					const idle = await server.stats();
					await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
					const stillIdle = await server.stats();
					return {
						value: (after.heapBytes - before.heapBytes) / count,
						details: {
							rssBytes: (after.rssBytes - before.rssBytes) / count,
							idleCpuPercent: (stillIdle.cpuMicros - idle.cpuMicros) / (IDLE_MS * 10),
							filesPerThousand: ((after.openFiles - before.openFiles) * 1_000) / count,
							actors: count,
						},
					};
				},
				verify: async () => {},
				close: async () => {},
			};
		},
	};
}
