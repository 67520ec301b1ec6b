import { actor, createMemoryDriver, setup } from "rivetkit";
import { type Series, tracesOf, turnsOf } from "./comparison.ts";

const ACTORS = 20;
/** Of each actor, in one turn: some 8 ms. */
const CALLS_EACH = 8;
const WARM_UP_CALLS_EACH = 300;

const counter = actor({
	state: { n: 0 },
	options: { noSleep: true },
	actions: { add: (c) => ++c.state.n },
});

type Settings = Pick<Parameters<typeof setup>[0], "traces" | "metrics">;

const OFF: Settings = { traces: { enabled: false }, metrics: { enabled: false } };

const settingsOf = (maxPerSecond: number): Readonly<Record<string, Settings>> => ({
	nothing: OFF,
	"nothing again": OFF,
	metrics: { traces: { enabled: false } },
	"metrics and traces": { traces: { enabled: true, maxPerSecond } },
	"metrics and a trace of every call": { traces: { enabled: true, maxPerSecond: 1e9 } },
});

class Contender {
	readonly setting: string;
	readonly micros: number[] = [];
	readonly #registry: { handler(request: Request): Promise<Response> };
	#actorIds: readonly string[] = [];

	constructor(setting: string, settings: Settings) {
		this.setting = setting;
		this.#registry = setup({
			use: { counter },
			driver: createMemoryDriver(),
			noWelcome: true,
			logging: { level: "error" },
			handleSignals: false,
			managerPort: 0,
			...settings,
		});
	}

	async createActors(): Promise<void> {
		const ids: string[] = [];
		for (let at = 0; at < ACTORS; at++) {
			const created = await this.#json("PUT", "/actors", {
				name: "counter",
				key: `k${at}`,
				runner_name_selector: "default",
				crash_policy: "sleep",
			});
			ids.push((created as { actor: { actor_id: string } }).actor.actor_id);
		}
		this.#actorIds = ids;
	}

	/** Microseconds of processor time of each call. */
	async turn(callsEach: number): Promise<number> {
		const before = process.cpuUsage();
		for (let at = 0; at < callsEach; at++) {
			await Promise.all(this.#actorIds.map((id) => this.#call(id)));
		}
		const { user, system } = process.cpuUsage(before);
		return (user + system) / (callsEach * this.#actorIds.length);
	}

	async #call(id: string): Promise<void> {
		await this.#json("POST", `/gateway/${id}/action/add`, { args: [] });
	}

	async #json(method: string, path: string, body: object): Promise<unknown> {
		const headers = { "content-type": "application/json" };
		const init = { method, headers, body: JSON.stringify(body) };
		const response = await this.#registry.handler(
			new Request(`http://actors/api/rivet${path}`, init),
		);
		if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
		return response.json();
	}
}

/** Calls of `registry.handler()`, without sockets and disk, in turns of some milliseconds. */
export async function measureInProcess(rounds: number): Promise<Series[]> {
	const contenders: Contender[] = [];
	const count = Object.keys(settingsOf(1)).length;
	const idle = new Contender("", OFF);
	await idle.createActors();
	await idle.turn(WARM_UP_CALLS_EACH);
	const beganMs = performance.now();
	const micros = (await idle.turn(WARM_UP_CALLS_EACH)) * WARM_UP_CALLS_EACH * ACTORS;
	const share = micros / 1_000 / (performance.now() - beganMs) / count;
	for (const [name, settings] of Object.entries(settingsOf(tracesOf(share)))) {
		const contender = new Contender(name, settings);
		await contender.createActors();
		await contender.turn(WARM_UP_CALLS_EACH);
		contenders.push(contender);
	}
	for (let round = 0; round < rounds; round++) {
		for (const at of turnsOf(round, contenders.length)) {
			const { micros } = contenders[at]!;
			micros.push(await contenders[at]!.turn(CALLS_EACH));
		}
	}
	return contenders.map(({ setting, micros }) => ({ setting, micros: [micros] }));
}
