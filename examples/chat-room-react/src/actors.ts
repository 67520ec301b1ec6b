import { type ActorContextOf, actor, event, setup, UserError } from "rivetkit";

export interface Message {
	readonly author: string;
	readonly text: string;
	readonly sentAt: number;
}

/** Older messages are dropped: state is for small, bounded data. */
const HISTORY_MAX = 200;
const TEXT_MAX = 1_000;

const chatRoom = actor({
	options: { name: "Chat room", icon: "comments" },
	state: { history: [] as Message[] },
	createConnState: (_c, params: { author: string }) => {
		const author = params?.author?.trim();
		if (!author) throw new UserError("Tell who you are", { code: "author_missing" });
		return { author };
	},
	events: {
		message: event<Message>(),
		presence: event<string[]>(),
	},
	onConnect: (c) => c.broadcast("presence", authors(c)),
	onDisconnect: (c) => c.broadcast("presence", authors(c)),
	actions: {
		history: (c) => c.state.history,
		present: (c) => authors(c),
		say: (c, text: string) => {
			if (text.length > TEXT_MAX) {
				throw new UserError(`A message has at most ${TEXT_MAX} characters`, { code: "too_long" });
			}
			const message = { author: c.conn.state.author, text, sentAt: Date.now() };
			c.state.history.push(message);
			if (c.state.history.length > HISTORY_MAX) c.state.history.shift();
			c.broadcast("message", message);
			return message;
		},
	},
});

/** Who is in the room. HTTP calls are short connections too; only WebSockets are people. */
function authors(c: ActorContextOf<typeof chatRoom>): string[] {
	const people = [...c.conns.values()].filter((conn) => conn.kind === "websocket");
	return [...new Set(people.map((conn) => conn.state.author))].sort();
}

export const registry = setup({
	use: { chatRoom },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
