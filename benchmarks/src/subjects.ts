/** The servers that are compared. Each answers the same requests with equivalent bodies. */
export interface Subject {
	/** As on the command line and in the tables. */
	readonly name: "bare" | "grouped" | "store" | "published" | "ours";
	readonly title: string;
	/** Its server, relative to this folder. */
	readonly module: string;
}

export const subjects: readonly Subject[] = [
	{ name: "bare", title: "(a) node:http and ws, not durable", module: "./servers/bare.ts" },
	{
		name: "grouped",
		title: "(b) the same, one grouped, synced SQLite write",
		module: "./servers/grouped-sqlite.ts",
	},
	{
		name: "store",
		title: "(e) the embedded store alone: one commit of one record for each step",
		module: "./servers/store.ts",
	},
	{
		name: "published",
		title: "(c) rivetkit 2.1.3 as published, answers before saving",
		module: "./servers/published.ts",
	},
	{ name: "ours", title: "(d) ours, answers after saving", module: "./servers/ours.ts" },
];
