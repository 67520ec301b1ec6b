import { RivetError } from "@rivetkit/protocol";

/** An error that is otherwise for the log, as whoever typed what is wrong has to see it. Others are as they were. */
export function shown(error: unknown, groupShown: string): unknown {
	if (!(error instanceof RivetError) || error.group !== groupShown || error.public) return error;
	const { group, code, message, metadata } = error;
	return new RivetError(group, code, message, { public: true, metadata, cause: error });
}
