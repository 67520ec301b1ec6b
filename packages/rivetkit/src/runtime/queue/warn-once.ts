import type { ErasedActorConfig } from "../../actor/erased.ts";
import type { ActorInstance } from "../instance/instance.ts";

/** What clients name is not remembered without end. */
const WARNINGS_MAX = 100;
const given = new WeakMap<ErasedActorConfig, Set<string>>();

/** Logs a warning once per definition and `about`; nothing when there were a hundred. */
export function warnOnce(
	instance: ActorInstance,
	about: string,
	fields: Readonly<Record<string, unknown>>,
	message: string,
): void {
	let known = given.get(instance.config);
	if (!known) {
		known = new Set();
		given.set(instance.config, known);
	}
	if (known.has(about) || known.size >= WARNINGS_MAX) return;
	known.add(about);
	instance.log.warn(fields, message);
}
