import { decodeHead, type Head } from "../../../src/workflow/history/head.ts";
import { CrashWatch, type HistoryLine, historyOf } from "./crash-watch.ts";
import type { Ctx, State, World } from "./world.ts";
import { World as Worlds } from "./world.ts";

/** A workflow with what the outside does to it; every part of it is tried again until it is done. */
export interface Scenario {
	readonly fn: (ctx: Ctx, world: World) => unknown;
	/** Messages in the order they are sent; `wait`: the sender waits for the completion. */
	readonly messages?: readonly {
		readonly name: "work" | "control";
		readonly body: unknown;
		readonly wait?: boolean;
	}[];
	/** Time that passes between two looks (ms). */
	readonly tickMs?: number;
	/** Whether its steps call the actor: after a crash they call again, and `other` of the state says so. */
	readonly repeatsCalls?: boolean;
	/** How it ends. Default: completed. */
	readonly ends?: Head["state"];
	/** Of a stored state and the steps that are stored as completed, by path: what does not fit. */
	readonly mismatch?: (state: State, completed: readonly string[]) => string | undefined;
}

export interface Outcome {
	readonly state: Omit<State, "other"> & Partial<State>;
	readonly head: Pick<Head, "state"> & { readonly output: unknown; readonly error: unknown };
	readonly waiting: number;
	readonly history: readonly HistoryLine[];
	/** What was wrong at the moments the process ended, or right after them. */
	readonly violations: readonly string[];
	readonly ledger: readonly string[];
	readonly answers: readonly unknown[];
	readonly commits: number;
	readonly crashes: number;
}

export interface Death {
	readonly commit: number;
	readonly side: "before" | "after";
}

interface SurvivalOptions {
	/** Runs from its records again at every wait, too. */
	readonly yields?: boolean;
	/** After so many looks it is left as it is. */
	readonly looksMax?: number;
}

/** Runs a scenario to its end, with a process that dies at each of `deaths`, one after the other. */
export async function survive(
	scenario: Scenario,
	deaths: Iterable<Death>,
	{ yields = false, looksMax = 10_000 }: SurvivalOptions = {},
): Promise<Outcome> {
	const left = deaths[Symbol.iterator]();
	const next = (): Death | undefined => left.next().value;
	const first = next();
	await using world = await Worlds.start((ctx, w) => scenario.fn(ctx, w), {
		yields,
		...(first ? { dieAt: first } : {}),
	});
	const watch = new CrashWatch(world, scenario.mismatch);
	const answers: unknown[] = [];
	let sent = 0;
	let commits = 0;
	const messages = scenario.messages ?? [];
	for (let look = 0; look < looksMax; look++) {
		if (world.store.isDead) {
			commits += world.store.commits.length;
			await watch.died();
			await world.crash(next());
			await watch.restarted();
			continue;
		}
		const head = await headOf(world);
		if (head?.state === (scenario.ends ?? "completed") && sent === messages.length) {
			await world.settle();
			if (!world.store.isDead) break;
			continue;
		}
		const message = messages[sent];
		if (message) {
			const answer = await sendOrDie(world, message, `m${sent}`);
			if (answer !== DIED) {
				sent++;
				answers.push(answer);
			}
		}
		if (!world.store.isDead) await world.advance(scenario.tickMs ?? 20);
	}
	world.store.spare();
	const head = await headOf(world);
	const { other, ...state } = await world.state();
	const waiting = await world.call<number>("size");
	await watch.died();
	return {
		state: scenario.repeatsCalls ? state : { ...state, other },
		head: {
			state: head?.state ?? "pending",
			output: head?.output && [...head.output],
			error: head?.error?.message,
		},
		waiting,
		history: await historyOf(world),
		violations: watch.violations,
		ledger: [...world.ledger],
		answers,
		commits: commits + world.store.commits.length,
		crashes: world.crashes,
	};
}

const DIED = Symbol("died");

async function orDie(world: World, work: Promise<unknown>): Promise<unknown> {
	work.catch(() => {});
	return Promise.race([work, world.store.died.then(() => DIED)]);
}

async function sendOrDie(
	world: World,
	{ name, body, wait = false }: NonNullable<Scenario["messages"]>[number],
	dedupeKey: string,
): Promise<unknown> {
	const client = world.runtime.client() as unknown as {
		subject: { getForId(id: string): { send(...args: unknown[]): Promise<unknown> } };
		dispose(): Promise<void>;
	};
	try {
		const handle = client.subject.getForId(world.id);
		const sending = handle.send(name, body, {
			dedupeKey,
			...(wait ? { wait, timeout: 60_000 } : {}),
		});
		if (!wait) return await orDie(world, sending);
		const answered = orDie(world, sending);
		let isOver = false;
		answered.then(
			() => {
				isOver = true;
			},
			() => {
				isOver = true;
			},
		);
		// What completes it may need time.
		for (let look = 0; look < 500 && !isOver && !world.store.isDead; look++) {
			await world.advance(20);
		}
		return await answered;
	} finally {
		client.dispose().catch(() => {});
	}
}

export async function headOf(world: World): Promise<Head | null> {
	const [stored] = await world.store.inner.get(world.id, [Uint8Array.of(0x0e)]);
	return stored ? decodeHead(stored) : null;
}
