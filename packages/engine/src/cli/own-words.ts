/** The stores name settings as `setup()` has them; this program has others. */
const NAMES: readonly (readonly [theirs: string, ours: string])[] = [
	["RIVETKIT_STORAGE_PATH", "file_system.path, RIVET__FILE_SYSTEM__PATH"],
	["database.postgres.url, RIVET__DATABASE__POSTGRES__URL", "postgres.url, RIVET__POSTGRES__URL"],
	["database.postgres.ssl", "postgres.ssl"],
];

/** A message of a store with the names of settings that `rivet-engine` takes. */
export function inOwnWords(message: string): string {
	return NAMES.reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), message);
}
