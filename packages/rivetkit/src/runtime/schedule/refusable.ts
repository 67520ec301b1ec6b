import type { ActorInstance } from "../instance/instance.ts";

/**
 * The result of a call of `c.schedule` or `c.cron`. A refusal is a rejection; one that nobody looks at is
 * in the log, and does not end the process.
 */
export function refusable<T>(
	instance: ActorInstance,
	operation: string,
	work: () => T | Promise<T>,
): Promise<T> {
	const result = perform(instance, work);
	result.catch((error: unknown) => {
		instance.log.warn({ err: error }, `c.${operation} was refused`);
	});
	return result;
}

/** Works at once, before the caller goes on: what is scheduled is part of the batch that is open now. */
async function perform<T>(instance: ActorInstance, work: () => T | Promise<T>): Promise<T> {
	instance.assertAllowed("schedule");
	return work();
}
