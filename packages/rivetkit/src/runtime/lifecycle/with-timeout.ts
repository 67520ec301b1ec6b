import type { ActorInstance } from "../instance/instance.ts";

/** A hook did not finish in time. The message names the hook, the limit and the option that raises it. */
export class HookTimeout extends Error {
	override readonly name = "HookTimeout";
	readonly hook: string;
	readonly limitMs: number;
	constructor(hook: string, limitMs: number, option: string) {
		super(`${hook} did not finish within ${limitMs} ms (options.${option})`);
		this.hook = hook;
		this.limitMs = limitMs;
	}
}

/** Waits for a hook's result for at most `limitMs`. What the hook does after that is ignored. */
export function withTimeout<T>(
	instance: ActorInstance,
	hook: string,
	limitMs: number,
	result: T | PromiseLike<T>,
	option = `${hook}Timeout`,
): T | Promise<T> {
	if (!isPromiseLike(result)) return result;
	return new Promise<T>((resolve, reject) => {
		const timer = instance.services.timers.schedule(limitMs, () =>
			reject(new HookTimeout(hook, limitMs, option)),
		);
		result.then(
			(value) => {
				timer.cancel();
				resolve(value);
			},
			(error) => {
				timer.cancel();
				reject(error);
			},
		);
	});
}

export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
	return (
		value !== null &&
		(typeof value === "object" || typeof value === "function") &&
		typeof (value as { then?: unknown }).then === "function"
	);
}
