import { catalogueError, EncodeError, encodeCbor } from "@rivetkit/protocol";

/** Throws `state.invalid_type` with the path of what slipped past the check at its assignment (W-STATE-7). */
export function encodeStorable(raw: unknown, rootPath: string): Uint8Array {
	try {
		return encodeCbor(raw);
	} catch (error) {
		if (!(error instanceof EncodeError)) throw error;
		throw catalogueError("state.invalid_type", {
			path: `${rootPath}${error.path}`,
			reason: error.reason,
		});
	}
}
