// Processor time of a call without sockets and disk: with nothing recorded, with metrics, with traces as by
// default, and with a trace of every call, stored or not. All in one process and in short turns, so that what else
// the machine does hits all of them alike. By default 100 traces are begun in a second: of six that take turns each works for a
// sixth of it, and gets a sixth of them.
//   node benchmarks/telemetry/calls.ts [rounds]

import { actor, createMemoryDriver, setup } from "rivetkit";
import { median } from "../src/statistics.ts";

const ACTORS = 20;
const CALLS_EACH = 15;
const WARM_UP_CALLS_EACH = 300;

const counter = actor({
	state: { n: 0 },
	options: { noSleep: true },
	actions: { add: (c) => ++c.state.n },
});

/** Of the default, what is due in the time that one of the six settings works. */
const TRACES_PER_SECOND = Math.ceil(100 / 6);

type Settings = Pick<Parameters<typeof setup>[0], "traces" | "metrics">;

const SETTINGS: Readonly<Record<string, Settings>> = {
	off: { traces: { enabled: false }, metrics: { enabled: false } },
	metrics: { traces: { enabled: false } },
	"metrics and traces": { traces: { enabled: true, maxPerSecond: TRACES_PER_SECOND } },
	"metrics, and traces in memory only": {
		traces: { enabled: true, store: false, maxPerSecond: TRACES_PER_SECOND },
	},
	"a trace of every call": { traces: { enabled: true, maxPerSecond: 1e9 } },
	"a trace of every call, in memory only": {
		traces: { enabled: true, maxPerSecond: 1e9, store: false },
	},
};

class Contender {
	readonly name: string;
	readonly micros: number[] = [];
	readonly #registry: { handler(request: Request): Promise<Response> };
	#actorIds: readonly string[] = [];

	constructor(name: string, settings: Settings) {
		this.name = name;
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
	async sample(callsEach: number): Promise<number> {
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

const rounds = Number(process.argv[2] ?? 100);
const contenders: Contender[] = [];
for (const [name, settings] of Object.entries(SETTINGS)) {
	const contender = new Contender(name, settings);
	await contender.createActors();
	await contender.sample(WARM_UP_CALLS_EACH);
	contenders.push(contender);
}
for (let round = 0; round < rounds; round++) {
	for (let at = 0; at < contenders.length; at++) {
		const contender = contenders[(at + round) % contenders.length]!;
		contender.micros.push(await contender.sample(CALLS_EACH));
	}
}
const off = contenders[0]!.micros;
console.log(
	"| recorded | processor µs each, median | least | more than off, median of rounds (µs) | in percent |",
);
console.log("|---|---|---|---|---|");
for (const contender of contenders) {
	const { name, micros } = contender;
	const ratio = median(micros.map((value, round) => value / off[round]!));
	const more = median(micros.map((value, round) => value - off[round]!));
	const cells = [
		name,
		median(micros).toFixed(1),
		Math.min(...micros).toFixed(1),
		more.toFixed(1),
		`${((ratio - 1) * 100).toFixed(1)} %`,
	];
	console.log(`| ${cells.join(" | ")} |`);
}
// The actors stay awake.
process.exit(0);
