import { serializeKey } from "@rivetkit/protocol";

/** What tells an actor from others of its type: its key. */
export function actorTitle(name: string, key: readonly string[]): string {
	return key.length === 0 ? `${name} (no key)` : serializeKey(key);
}

/** The same where nothing beside it says what its type is. */
export function fullActorTitle(name: string, key: readonly string[]): string {
	const title = actorTitle(name, key);
	return key.length === 0 ? title : `${name} ${title}`;
}

/** The same for the tab of a browser, which is narrow: what is different comes first. */
export function shortActorTitle(name: string, key: readonly string[]): string {
	const title = actorTitle(name, key);
	return key.length === 0 ? title : `${title} · ${name}`;
}
