import type { Random } from "@rivetkit/protocol";

/**
 * Begins what stores have as the key of an actor without one: text of which there is one for each, and with which
 * no caller's key may begin. A code point that is no character.
 */
const MARK = "\ufffe";

export function keylessKey(random: Random): string {
	return MARK + random.uuid();
}

/** Whether an actor with this stored key has none. */
export function isKeyless(storedKey: string): boolean {
	return storedKey.startsWith(MARK);
}
