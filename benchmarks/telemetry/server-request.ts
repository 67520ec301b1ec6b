/** What the server is asked. With `maxPerSecond` it starts its registries anew, and answers their ports. */
export interface ServerRequest {
	readonly maxPerSecond?: number;
}

/** The second is as the first: what they differ by is the error of the others. */
export const SETTINGS = ["nothing", "nothing again", "metrics", "metrics and traces"] as const;
