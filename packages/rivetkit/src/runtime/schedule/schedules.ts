import type { ActorInstance } from "../instance/instance.ts";
import { CronAccess } from "./cron-access.ts";
import { ScheduleAccess } from "./schedule-access.ts";
import { ScheduleKeeper } from "./schedule-keeper.ts";

/** What an actor has once it has scheduled something. */
export class Schedules {
	readonly keeper: ScheduleKeeper;
	/** `c.schedule`. */
	readonly calls: ScheduleAccess;
	/** `c.cron`. */
	readonly cron: CronAccess;

	constructor(instance: ActorInstance) {
		this.keeper = new ScheduleKeeper(instance);
		this.calls = new ScheduleAccess(instance, this.keeper);
		this.cron = new CronAccess(instance, this.keeper);
	}
}
