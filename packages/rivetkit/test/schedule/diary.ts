import { actor } from "../../src/actor/definition.ts";
import type { RetryOptions } from "../../src/actor/schedule.types.ts";
import { Gate } from "../support/gate.ts";

/** A note that an action took of being called. */
export interface Note {
	readonly name: string;
	/** By the actor's clock. */
	readonly at: number;
	readonly args: readonly unknown[];
}

export interface DiaryOptions {
	/** By whose time notes are dated. */
	readonly now?: () => number;
	readonly options?: Readonly<Record<string, number | boolean>>;
	/** Actions that are there or not, as if the code had been changed. */
	readonly without?: readonly string[];
}

/**
 * An actor that schedules what its caller says, and notes what is called. Notes are the test's: they outlive
 * the actor, so that they show what was called twice.
 */
export function diary({ now = () => 0, options = {}, without = [] }: DiaryOptions = {}) {
	const notes: Note[] = [];
	const gates = new Map<string, Gate>();
	const gateOf = (name: string) => {
		const gate = gates.get(name) ?? new Gate();
		gates.set(name, gate);
		return gate;
	};
	const note = (name: string, args: readonly unknown[]) => notes.push({ name, at: now(), args });
	const failures = { left: 0 };

	const subject = actor({
		state: { calls: 0, log: [] as string[] },
		actions: {
			after: (c, delay: number, name: string, ...args: unknown[]) =>
				c.schedule.after(delay, name, ...args),
			at: (c, time: number, name: string, ...args: unknown[]) => c.schedule.at(time, name, ...args),
			afterWith: (c, retry: RetryOptions, delay: number, name: string, ...args: unknown[]) =>
				c.schedule.with({ retry, fireInfo: true }).after(delay, name, ...args),
			get: (c, id: string) => c.schedule.get(id),
			list: (c) => c.schedule.list(),
			cancel: (c, id: string) => c.schedule.cancel(id),
			failures: (c, limit?: number) => c.schedule.failures({ limit }),
			setCron: (c, cron: Parameters<typeof c.cron.set>[0]) => c.cron.set(cron),
			every: (c, every: Parameters<typeof c.cron.every>[0]) => c.cron.every(every),
			getCron: (c, name: string) => c.cron.get(name),
			listCron: (c) => c.cron.list(),
			deleteCron: (c, name: string) => c.cron.delete(name),
			history: (c, name: string, limit?: number) => c.cron.history(name, { limit }),
			calls: (c) => c.state.calls,
			log: (c) => [...c.state.log],
			nap: (c) => c.sleep(),
			/** A call that is over at once. */
			note: (c, ...args: unknown[]) => {
				c.state.calls++;
				note("note", args);
			},
			/** One that waits for the gate of its first argument. */
			slow: async (c, gate: string, ...args: unknown[]) => {
				note("slow begins", [gate, ...args]);
				await gateOf(gate).passed;
				c.state.calls++;
				note("slow ends", [gate, ...args]);
			},
			/** One that fails as often as the test says. */
			shaky: (c, ...args: unknown[]) => {
				note("shaky", args);
				if (failures.left-- > 0) throw new Error("broken on purpose");
				c.state.calls++;
			},
			/** One that writes, waits, and writes again. */
			halves: async (c, gate: string) => {
				c.state.log.push("first half");
				note("halves", [gate]);
				await gateOf(gate).passed;
				c.state.log.push("second half");
			},
		},
		options,
	});
	for (const name of without) Reflect.deleteProperty(subject.config.actions, name);
	return {
		subject,
		notes,
		failures,
		open: (gate: string) => gateOf(gate).open(),
		/** Names of the notes, with the first argument. */
		names: () => notes.map(({ name, args }) => `${name} ${String(args[0])}`),
		times: () => notes.map(({ at }) => at),
	};
}
