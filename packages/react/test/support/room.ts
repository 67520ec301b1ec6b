import { actor, createMemoryDriver, event, setup, UserError } from "rivetkit";

/** Counts who connected (a call over HTTP is a connection, too, and not meant), repeats what is said, refuses who is banned. */
const room = actor({
	createState: (_c, input?: { title: string }) => ({
		title: input?.title ?? "untitled",
		joins: 0,
		left: 0,
	}),
	events: { said: event<[user: string, text: string]>() },
	onBeforeConnect: (_c, params?: { user: string }) => {
		if (params?.user === "banned") throw new UserError("You are banned", { code: "banned" });
	},
	onConnect: (c, conn) => {
		if (conn.isHibernatable) c.state.joins++;
	},
	actions: {
		title: (c) => c.state.title,
		joins: (c) => c.state.joins,
		present: (c) => [...c.conns.values()].filter((conn) => conn.isHibernatable).length,
		async *count(c, to: number) {
			const signal = new Promise<void>((resolve) =>
				c.abortSignal.addEventListener("abort", () => resolve(), { once: true }),
			);
			for (let n = 1; n <= to; n++) yield n;
			// Goes on until the reader leaves.
			await signal;
			c.state.left++;
		},
		left: (c) => c.state.left,
		/** Ends all connections; their clients do not come back. */
		dismiss: async (c) => {
			for (const conn of c.conns.values()) {
				if (conn.isHibernatable) await conn.disconnect("dismissed", { final: true });
			}
		},
		say: (c, user: string, text: string) => {
			c.broadcast("said", user, text);
		},
	},
});

/** A registry on a free port, with its data in memory. */
export async function startRooms() {
	const registry = setup({
		use: { room },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		handleSignals: false,
		logging: { level: "silent" },
	});
	const { url } = await registry.listen();
	return { registry, url };
}

export type RoomsRegistry = Awaited<ReturnType<typeof startRooms>>["registry"];
