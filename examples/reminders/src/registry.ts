import { actor, event, type ScheduledFireInfo, setup, UserError } from "rivetkit";

export interface Reminder {
	readonly id: string;
	readonly text: string;
	/** Milliseconds since the epoch. */
	readonly at: number;
}

const TEXT_MAX = 500;
/** What is over is kept for the next digest, at most so much of it. */
const DONE_MAX = 100;

/** One person's reminders. */
const reminders = actor({
	options: { name: "Reminders", icon: "bell", maxSchedules: 500 },
	createState: (_c, input?: { timeZone?: string }) => ({
		timeZone: input?.timeZone ?? "UTC",
		upcoming: [] as Reminder[],
		done: [] as Reminder[],
		digests: 0,
	}),
	events: {
		reminder: event<Reminder>(),
		digest: event<Reminder[]>(),
	},
	onWake: async (c) => {
		// Setting a job to what it is changes nothing.
		await c.cron.set({
			name: "digest",
			expression: "0 8 * * *",
			timezone: c.state.timeZone,
			action: "digest",
			retry: { attempts: 3 },
		});
	},
	actions: {
		/** Resolves when the reminder is on disk: from then on it comes, whatever happens to the server. */
		remind: async (c, text: string, at: number) => {
			if (text.trim() === "" || text.length > TEXT_MAX) {
				throw new UserError(`A reminder has 1 to ${TEXT_MAX} characters`, { code: "text_length" });
			}
			const id = await c.schedule.with({ fireInfo: true, retry: { attempts: 3 } }).at(at, "due");
			const reminder = { id, text, at };
			c.state.upcoming.push(reminder);
			return reminder;
		},
		cancel: async (c, id: string) => {
			c.state.upcoming = c.state.upcoming.filter((reminder) => reminder.id !== id);
			return c.schedule.cancel(id);
		},
		list: (c) => ({ upcoming: c.state.upcoming, done: c.state.done, digests: c.state.digests }),

		/** Called by the schedule. What it writes happens once: it is one commit with the end of the call. */
		due: (c, info: ScheduledFireInfo) => {
			const index = c.state.upcoming.findIndex(({ id }) => id === info.id);
			const [reminder] = index === -1 ? [] : c.state.upcoming.splice(index, 1);
			if (!reminder) throw new UserError("No such reminder", { code: "not_found" });
			c.state.done.push(reminder);
			if (c.state.done.length > DONE_MAX) c.state.done.shift();
			c.log.info(`reminding of ${reminder.text}`);
			c.broadcast("reminder", reminder);
		},
		/** Called by the job, every morning at eight. */
		digest: (c) => {
			c.broadcast("digest", c.state.done);
			c.state.done = [];
			c.state.digests += 1;
		},
	},
});

export const registry = setup({
	use: { reminders },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
