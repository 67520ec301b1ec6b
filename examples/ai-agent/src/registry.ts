import { actor, event, setup, UserError } from "rivetkit";
import { complete, type Turn } from "./model.ts";

export interface Message extends Turn {
	readonly id: number;
	/** What became of a reply: its reader may have left, or the server gone, before it was done. */
	status: "writing" | "done" | "stopped";
	text: string;
}

/** What is remembered; older messages are dropped. */
const MESSAGES_MAX = 60;
const QUESTION_MAX = 2_000;
const REPLY_MAX = 8_000;

/** One conversation. */
const agent = actor({
	options: { name: "Agent", icon: "robot" },
	state: { messages: [] as Message[], lastId: 0 },
	createVars: () => ({ isReplying: false }),
	events: { message: event<Message>() },
	onWake: (c) => {
		for (const message of c.state.messages) {
			if (message.status === "writing") message.status = "stopped";
		}
	},
	actions: {
		history: (c) => c.state.messages,

		/** Streams the reply. Each piece leaves when it is on disk: what somebody has read is there after a crash. */
		async *ask(c, text: string) {
			if (text.trim() === "" || text.length > QUESTION_MAX) {
				throw new UserError(`A question has 1 to ${QUESTION_MAX} characters`, { code: "length" });
			}
			if (c.vars.isReplying) throw new UserError("One question at a time", { code: "busy" });
			c.vars.isReplying = true;
			const { messages } = c.state;
			const question: Message = { id: ++c.state.lastId, role: "user", text, status: "done" };
			messages.push(question, {
				id: ++c.state.lastId,
				role: "assistant",
				text: "",
				status: "writing",
			});
			messages.splice(0, Math.max(0, messages.length - MESSAGES_MAX));
			const reply = messages.at(-1)!;
			c.broadcast("message", question);
			try {
				for await (const piece of complete(messages.slice(0, -1), c.abortSignal)) {
					reply.text += piece;
					yield piece;
					if (reply.text.length > REPLY_MAX) break;
				}
				reply.status = "done";
			} finally {
				// Also when the reader leaves, the model fails, or the actor stops.
				if (reply.status === "writing") reply.status = "stopped";
				c.vars.isReplying = false;
				c.broadcast("message", { ...reply });
			}
		},
	},
});

export const registry = setup({
	use: { agent },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
