import { actor, setup } from "rivetkit";
import { countPending, dropPending } from "./files.ts";
import { answer } from "./http.ts";

/** Files of one owner: PUT, GET (also in ranges), HEAD and DELETE of `/<name>`, and a list at `/`. */
const bucket = actor({
	options: { name: "Bucket", icon: "box-archive", actionTimeout: 10 * 60_000 },
	/** Bytes of all files. */
	state: { used: 0 },
	// Of uploads that a crash cut off.
	onWake: (c) => dropPending(c.kv),
	onRequest: (c, request) => answer(c.kv, c.state, request),
	actions: {
		/** How many uploads are on their way. */
		uploads: (c) => countPending(c.kv),
	},
});

export const registry = setup({
	use: { bucket },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
