/** What a server process is told: of a registry that it starts, or nothing. It answers with its port, or its processor time (µs). */
export interface ServerRequest {
	readonly start?: { readonly setting: Setting; readonly maxPerSecond: number };
}

/** The second is as the first: what they differ by is the error of the others. */
export const SETTINGS = ["nothing", "nothing again", "metrics", "metrics and traces"] as const;
export type Setting = (typeof SETTINGS)[number];
