// A host process for the split test: rooms whose engine, store and clients are in another process.
import { erasedConfig } from "../../src/actor/erased.ts";
import { actor, event } from "../../src/index.ts";
import { runHost } from "../support/split/host-end.ts";
import { linkToParent } from "../support/split/link.ts";

const room = actor({
	state: { count: 0, joined: [] as string[], left: [] as string[] },
	options: { canHibernateWebSocket: true },
	events: { counted: event<number>() },
	createConnState: (_c, params: string | undefined) => ({ name: params ?? "", calls: 0 }),
	onConnect: (c, conn) => {
		if (conn.kind === "websocket") c.state.joined.push(conn.state.name);
	},
	onDisconnect: (c, conn) => {
		if (conn.kind === "websocket") c.state.left.push(conn.state.name);
	},
	onWebSocket: (c, socket) => {
		socket.addEventListener("message", (event) => {
			c.state.count++;
			socket.send(`${c.conn.id} ${(event as MessageEvent<string>).data}`);
		});
	},
	actions: {
		increment: (c) => {
			c.state.count++;
			c.conn.state.calls++;
			c.broadcast("counted", c.state.count);
			return c.state.count;
		},
		slowIncrement: async (c) => {
			await new Promise((resolve) => setTimeout(resolve, 2));
			c.state.count++;
			c.conn.state.calls++;
			c.broadcast("counted", c.state.count);
			return c.state.count;
		},
		who: (c) => [c.conn.id, c.conn.state.calls, process.pid],
		read: (c) => ({ ...c.state }),
		nap: (c) => c.sleep(),
	},
});

runHost(linkToParent(), new Map([["room", erasedConfig(room)]]));
