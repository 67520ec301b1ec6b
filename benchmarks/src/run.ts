import type { Sample, Scale, Scenario } from "./scenarios/scenario.ts";
import { ServerProcess } from "./server-process.ts";
import type { LoopProfile } from "./servers/profiler.ts";
import type { Subject } from "./subjects.ts";

/** What one server leaves unfinished (saves behind its answers) shall not slow the next one. */
const SETTLE_MS = 200;

/** A server that answers nothing any more fails; it does not stop the others. */
const STEP_MS_MAX = 120_000;

export interface Outcome {
	readonly scenario: Scenario;
	/** One sample per round. A subject that failed is absent. */
	readonly samples: ReadonlyMap<Subject["name"], readonly Sample[]>;
	readonly failures: ReadonlyMap<Subject["name"], string>;
	/** Of one more sample of `ours`, when it was asked for. */
	readonly profile?: LoopProfile;
}

interface Contender {
	readonly server: ServerProcess;
	readonly prepared: Awaited<ReturnType<Scenario["prepare"]>>;
	readonly samples: Sample[];
}

/**
 * One scenario on every subject: fresh servers, one warm-up each, then rounds in which each has its turn,
 * so that a slower or faster minute of the machine meets all of them.
 */
export async function runScenario(
	scenario: Scenario,
	subjects: readonly Subject[],
	scale: Scale,
	folder: string,
	profiles = false,
): Promise<Outcome> {
	let profile: LoopProfile | undefined;
	const failures = new Map<Subject["name"], string>();
	const contenders = new Map<Subject["name"], Contender>();
	const servers: ServerProcess[] = [];
	const stepMsMax = scenario.stepMsMax ?? STEP_MS_MAX;
	const attempt = async (
		subject: Subject,
		what: string,
		step: () => Promise<void>,
	): Promise<void> => {
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<never>((_, reject) => {
			const say = (): void => reject(new Error(`${what} took over ${stepMsMax} ms`));
			timer = setTimeout(say, stepMsMax);
		});
		try {
			await Promise.race([step(), late]);
		} catch (error) {
			failures.set(subject.name, error instanceof Error ? error.message : String(error));
			contenders.delete(subject.name);
		} finally {
			clearTimeout(timer);
		}
	};
	try {
		for (const subject of subjects) {
			await attempt(subject, "setting up", async () => {
				const server = await ServerProcess.start(subject, folder);
				servers.push(server);
				const prepared = await scenario.prepare(server, scale);
				if (scenario.roundsMax !== 1) await prepared.sample(scale.warmUpMs);
				contenders.set(subject.name, { server, prepared, samples: [] });
			});
		}
		const rounds = Math.min(scale.rounds, scenario.roundsMax ?? scale.rounds);
		for (let round = 0; round < rounds; round += 1) {
			const order = [...contenders.values()];
			const first = round % Math.max(1, order.length);
			for (const { server, prepared, samples } of [
				...order.slice(first),
				...order.slice(0, first),
			]) {
				await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
				await attempt(server.subject, "a sample", async () => {
					samples.push(await prepared.sample(scale.sampleMs));
				});
			}
		}
		const ours = contenders.get("ours");
		if (profiles && ours !== undefined) {
			await attempt(ours.server.subject, "a sample under the profiler", async () => {
				profile = await ours.server.profile(() => ours.prepared.sample(scale.sampleMs));
			});
		}
		for (const { server, prepared } of [...contenders.values()]) {
			await attempt(server.subject, "reading back", () => prepared.verify());
		}
		for (const { prepared } of contenders.values()) await prepared.close();
	} finally {
		for (const server of servers) await server.stop();
	}
	const samples = new Map([...contenders].map(([name, contender]) => [name, contender.samples]));
	return { scenario, samples, failures, ...(profile === undefined ? {} : { profile }) };
}
