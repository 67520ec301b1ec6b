import type { ActorInstance } from "../../instance/instance.ts";

/** Cancels a pending call or deletes a job, by id. Resolves with whether there was one, when it is durable. */
export async function deleteSchedule(instance: ActorInstance, id: string): Promise<boolean> {
	await instance.untilFree();
	instance.assertAcceptsWork();
	const keeper = instance.made.schedules?.keeper;
	if (!keeper) return false;
	const job = keeper.jobs().find((one) => one.id === id);
	const deleted = job ? keeper.deleteJob(job.name) : keeper.cancel(id);
	if (deleted) await instance.committer.flush();
	return deleted;
}
