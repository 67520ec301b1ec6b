// A server process for the crash tests of schedules, on the embedded store. Prints its URL when it listens.
// `schedule-server.ts <data directory> <port> <journal>`: actions that run are noted in the journal, which no
// crash takes back.
import { appendFileSync } from "node:fs";
import { actor, setup } from "../../src/index.ts";

const [data, port, journal] = process.argv.slice(2) as [string, string, string];
const note = (...words: unknown[]) => appendFileSync(journal, `${words.join(" ")}\n`);

const agenda = actor({
	state: { planned: {} as Record<string, number>, done: {} as Record<string, number> },
	actions: {
		/** Both writes belong to one commit: a call is planned and scheduled, or neither. */
		plan: async (c, label: string, delay: number) => {
			c.state.planned[label] = Date.now() + delay;
			await c.schedule.after(delay, "mark", label, c.state.planned[label]);
		},
		mark: (c, label: string, runAt: number) => {
			note("mark", c.key.join("/"), label, Date.now() - runAt);
			c.state.done[label] = (c.state.done[label] ?? 0) + 1;
		},
		planHang: async (c, label: string) => {
			await c.schedule.with({ fireInfo: true }).after(0, "hang", label);
		},
		/** Waits for ever, until it was killed twice. */
		hang: async (c, label: string, info?: { attempt: number }) => {
			note("hang", label, info!.attempt);
			if (info!.attempt < 3) await new Promise(() => {});
			c.state.done[label] = (c.state.done[label] ?? 0) + 1;
		},
		planJob: (c, name: string) =>
			c.cron.set({
				name,
				expression: "* * * * * *",
				action: "tick",
				catchUp: "all",
				overlap: "queue",
			}),
		tick: (c, info?: { name?: string; scheduledAt: number }) => {
			const label = `${info!.name} ${info!.scheduledAt}`;
			note("tick", label);
			c.state.done[label] = (c.state.done[label] ?? 0) + 1;
		},
		history: (c, name: string) => c.cron.history(name),
		state: (c) => ({ planned: { ...c.state.planned }, done: { ...c.state.done } }),
		list: (c) => c.schedule.list(),
	},
});

const registry = setup({
	use: { agenda },
	storagePath: data,
	managerPort: Number(port),
	noWelcome: true,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
