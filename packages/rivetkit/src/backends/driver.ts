/**
 * Which backend the actors of a registry stand on; made by the functions below, passed as `driver`. A plain
 * description: the registry makes what it names. Backends of other authors: `rivetkit/driver-helpers`.
 */
export interface DriverConfig {
	readonly name: "memory" | "file-system" | "engine";
	readonly displayName: string;
	/** Directory of the file-system driver. */
	readonly path?: string;
}

/** Keeps everything in memory: for tests. Actors sleep and wake with their data; a restart loses it. */
export function createMemoryDriver(): DriverConfig {
	return { name: "memory", displayName: "Memory" };
}

/**
 * Runs actors behind a Rivet Engine on this machine, at its usual port. To name another one, set `endpoint`
 * (or `RIVET_ENDPOINT`) instead of a driver.
 */
export function createEngineDriver(): DriverConfig {
	return { name: "engine", displayName: "Engine" };
}

/** Keeps everything in a directory of this machine. Default `.rivetkit` in the working directory. */
export function createFileSystemDriver(options: { path?: string } = {}): DriverConfig {
	return {
		name: "file-system",
		displayName: "File system",
		...(options.path === undefined ? undefined : { path: options.path }),
	};
}
