import { catalogueError, type RivetError } from "@rivetkit/protocol";

/** Why a value cannot be stored, and where it is. */
export interface Fault {
	/** The way to it from the value that was looked at, for example `.a.b[1]`; `""` is that value. */
	readonly path: string;
	readonly reason: string;
}

/** The error of a value that state cannot hold: `state.invalid_type`, with the path of the value. */
export function invalidType(path: string, reason: string): RivetError {
	return catalogueError("state.invalid_type", { path, reason });
}
