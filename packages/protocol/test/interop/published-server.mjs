/** An actor on the published package, as a process: `published-server.mjs <port> <storage path>`. */
import { actor, event, queue, setup, UserError } from "rivetkit-published";

const [port, storagePath] = process.argv.slice(2);

const echo = actor({
	state: {},
	events: { tick: event() },
	queues: { work: queue() },
	run: async (c) => {
		for await (const message of c.queue.iter({ completable: true })) await message.complete(5);
	},
	onRequest: (_c, request) => {
		const { pathname, search } = new URL(request.url);
		return new Response(pathname + search);
	},
	actions: {
		echo: (_c, ...args) => args,
		undef: () => undefined,
		emit: (c) => c.broadcast("tick", "hi"),
		params: (c) => c.conn.params,
		fail: (_c, metadata) => {
			throw new UserError("no", { code: "x", metadata });
		},
	},
});

setup({
	use: { echo },
	managerPort: Number(port),
	storagePath,
	noWelcome: true,
	logging: { level: "silent" },
});
