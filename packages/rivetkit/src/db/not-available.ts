import { catalogueError } from "@rivetkit/protocol";

/** Rejects with `feature.not_implemented`. */
export async function refuseToOpen(): Promise<never> {
	throw catalogueError("feature.not_implemented", { feature: "An actor's SQLite database" });
}
