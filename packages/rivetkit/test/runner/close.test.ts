import { type ActorHost, systemRandom } from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { CountingClock } from "../../../../tests/support/counting-clock.ts";
import { Runner } from "../../src/backends/runner/runner.ts";
import type { Logger } from "../../src/log/logger.ts";
import { eventually } from "../support/eventually.ts";
import { ScriptedEngine, toldOf } from "../support/scripted-engine.ts";

const quiet = () => {};
const QUIET = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Logger;

/** What our runner leaves when it is stopped. */

it("keeps no process: its timers go with it", async () => {
	const engine = await ScriptedEngine.start();
	onTestFinished(() => engine.close());
	const clock = new CountingClock();
	const runner = new Runner(
		{
			endpoint: engine.endpoint,
			namespace: "default",
			token: undefined,
			headers: {},
			runnerKey: "key",
			region: "unknown",
			init: {
				name: "default",
				version: 1,
				totalSlots: 1,
				prepopulateActorNames: undefined,
				metadata: undefined,
			},
		},
		{
			clock,
			random: systemRandom(),
			log: QUIET,
			errorResponse: () => expect.unreachable(),
		},
	);
	const host = {
		start: async ({ actorId }: { readonly actorId: string }) => {
			if (actorId === "broken") throw new Error("not today");
		},
		stop: async (actorId: string) => runner.hostStopped(actorId, 0),
	};
	runner.start(host as unknown as ActorHost);
	const { received } = await engine.socket();
	for (const actorId of ["a", "broken"]) engine.start(actorId, 0);
	await eventually(() => {
		for (const actorId of ["a", "broken"]) {
			expect(toldOf(received, actorId).map(({ what }) => what)).toEqual(["running"]);
		}
		expect(received.filter(({ tag }) => tag === "ToServerKvRequest").length).toBeGreaterThan(3);
	});
	expect(clock.set).not.toEqual([]);
	await runner.stop();
	expect(clock.set).toEqual([]);
});
