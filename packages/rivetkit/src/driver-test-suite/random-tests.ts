import type { StorageOp } from "@rivetkit/protocol";
import { FencedOff, type Incarnation } from "../backends/backend.ts";
import type { BackendUnderTest, SuiteContext } from "./backend-under-test.ts";
import { contents, put, utf8 } from "./bytes.ts";

const PROGRAMS = 20;
const STEPS = 40;
const ACTORS = 3;
const KEYS = ["a", "aa", "ab", "b", "ba", "c"];

/** Repeatable pseudo-random numbers from 0 to below `limit` (mulberry32). */
function generator(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
	};
}

/** An actor as it must be: its entries, its alarm, and the incarnations that were placed for it. */
interface Model {
	readonly incarnations: Incarnation[];
	entries: Map<string, string>;
	alarmTs: number | null;
}

/** Programs of commits, late commits and take-overs, held against plain maps. A failure names the seed. */
export function randomTests({ expect, test }: SuiteContext): void {
	test(`${PROGRAMS} random programs leave what plain maps hold`, async (subject) => {
		for (let seed = 1; seed <= PROGRAMS; seed++) {
			const models = await runProgram(subject, generator(seed));
			for (const { incarnations, entries, alarmTs } of models) {
				const newest = incarnations.at(-1)!;
				const stored = await contents(subject.backend, newest);
				expect(stored, `entries after the program of seed ${seed}`).toEqual(
					Object.fromEntries(entries),
				);
				const alarm = await subject.alarmOf(newest.actorId);
				expect(alarm, `alarm after the program of seed ${seed}`).toBe(alarmTs);
			}
		}
	});
}

async function runProgram(
	subject: BackendUnderTest,
	random: (limit: number) => number,
): Promise<Model[]> {
	const models: Model[] = [];
	for (let index = 0; index < ACTORS; index++) {
		const incarnations = [await subject.newActor()];
		models.push({ incarnations, entries: new Map(), alarmTs: null });
	}
	let running: Promise<void>[] = [];
	for (let step = 0; step < STEPS; step++) {
		const model = models[random(ACTORS)]!;
		if (random(12) === 0) {
			await Promise.all(running.splice(0));
			model.incarnations.push(await subject.takeOver(model.incarnations.at(-1)!.actorId));
			continue;
		}
		running.push(commitRandomly(subject, model, random));
		if (random(4) === 0) {
			await Promise.all(running);
			running = [];
		}
	}
	await Promise.all(running);
	return models;
}

/** Resolves when the commit had the outcome that the model foresees. */
async function commitRandomly(
	{ backend }: BackendUnderTest,
	model: Model,
	random: (limit: number) => number,
): Promise<void> {
	const { incarnations } = model;
	const isLate = incarnations.length > 1 && random(5) === 0;
	const incarnation = isLate
		? incarnations[random(incarnations.length - 1)]!
		: incarnations.at(-1)!;
	const after = new Map(model.entries);
	const ops = Array.from({ length: random(5) }, () => randomOp(after, random));
	const alarms = [undefined, null, 1_000 + random(100)] as const;
	const alarmTs = alarms[random(3)];
	if (!isLate) {
		model.entries = new Map([...after].sort(([a], [b]) => (a < b ? -1 : 1)));
		if (alarmTs !== undefined) model.alarmTs = alarmTs;
	}
	const batch = alarmTs === undefined ? { ops } : { ops, alarmTs };
	try {
		await backend.commit(incarnation, batch);
	} catch (error) {
		if (isLate && error instanceof FencedOff) return;
		throw error;
	}
	if (isLate) throw new Error("a commit of an older incarnation was accepted");
}

function randomOp(entries: Map<string, string>, random: (limit: number) => number): StorageOp {
	const key = KEYS[random(KEYS.length)]!;
	switch (random(4)) {
		case 0: {
			entries.delete(key);
			return { op: "delete", key: utf8(key) };
		}
		case 1: {
			const end = random(3) === 0 ? null : KEYS[random(KEYS.length)]!;
			for (const name of [...entries.keys()]) {
				if (name >= key && (end === null || name < end)) entries.delete(name);
			}
			return { op: "deleteRange", start: utf8(key), end: end === null ? null : utf8(end) };
		}
		default: {
			const value = String(random(1_000));
			entries.set(key, value);
			return put(key, value);
		}
	}
}
