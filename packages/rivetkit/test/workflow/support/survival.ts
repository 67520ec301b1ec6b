import { decodeHead, type Head } from "../../../src/workflow/history/head.ts";
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
	/** Calls made while the workflow runs, one per look. */
	readonly calls?: readonly string[];
	/** How it ends. Default: completed. */
	readonly ends?: Head["state"];
}

export interface Outcome {
	readonly state: Omit<State, "other"> & Partial<State>;
	readonly head: Pick<Head, "state"> & { readonly output: unknown; readonly error: unknown };
	readonly waiting: number;
	readonly keys: readonly string[];
	readonly ledger: readonly string[];
	readonly answers: readonly unknown[];
	readonly commits: number;
	readonly crashes: number;
}

export interface Death {
	readonly commit: number;
	readonly side: "before" | "after";
}

const LOOKS_MAX = 2_000;

/** Runs a scenario to its end, with a process that dies at each of `deaths`, one after the other. */
export async function survive(scenario: Scenario, deaths: readonly Death[]): Promise<Outcome> {
	const [first, ...later] = deaths;
	await using world = await Worlds.start((ctx, w) => scenario.fn(ctx, w), {
		...(first ? { dieAt: first } : {}),
	});
	const left = [...later];
	const answers: unknown[] = [];
	let sent = 0;
	let calls = 0;
	let commits = 0;
	const messages = scenario.messages ?? [];
	for (let look = 0; look < LOOKS_MAX; look++) {
		if (world.store.isDead) {
			commits += world.store.commits.length;
			await world.crash(left.shift());
			continue;
		}
		const head = await headOf(world);
		const isAllDone = sent === messages.length && calls === (scenario.calls?.length ?? 0);
		if (head?.state === (scenario.ends ?? "completed") && isAllDone) {
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
		} else if (calls < (scenario.calls?.length ?? 0)) {
			const done = await orDie(world, world.call(scenario.calls![calls]!));
			if (done !== DIED) calls++;
		}
		if (!world.store.isDead) await world.advance(scenario.tickMs ?? 20);
	}
	world.store.spare();
	const head = await headOf(world);
	const { other, ...state } = await world.state();
	const waiting = await world.call<number>("size");
	const range = { start: Uint8Array.of(0x14), end: Uint8Array.of(0x15) };
	const entries = await world.store.inner.scan(world.id, range);
	return {
		// Calls whose answer was lost are made again.
		state: scenario.calls ? state : { ...state, other },
		head: {
			state: head?.state ?? "pending",
			output: head?.output && [...head.output],
			error: head?.error?.message,
		},
		waiting,
		keys: entries.map(([key]) => Buffer.from(key).toString("latin1")),
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
