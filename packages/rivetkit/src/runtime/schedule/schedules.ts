import type { ActorInstance } from "../instance/instance.ts";
import { CronAccess } from "./cron-access.ts";
import { ScheduleAccess } from "./schedule-access.ts";
import { ScheduleKeeper } from "./schedule-keeper.ts";

/** What an actor has once it has scheduled something. */
export class Schedules {
	readonly keeper: ScheduleKeeper;
	readonly #instance: ActorInstance;
	#calls: ScheduleAccess;
	#cron: CronAccess;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.keeper = new ScheduleKeeper(instance);
		this.#calls = new ScheduleAccess(instance, this.keeper);
		this.#cron = new CronAccess(instance, this.keeper);
	}

	/** `c.schedule`. */
	get calls(): ScheduleAccess {
		return this.#calls;
	}

	/** `c.cron`. */
	get cron(): CronAccess {
		return this.#cron;
	}

	/** What somebody holds is refused from now on (W-STOP-5). */
	renew(): void {
		this.#calls = new ScheduleAccess(this.#instance, this.keeper);
		this.#cron = new CronAccess(this.#instance, this.keeper);
	}
}
