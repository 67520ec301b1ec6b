import { type ActionContextOf, actor, event, setup, UserError } from "rivetkit";
import { ROLES, type Role, type Session, sessionOf, verifyToken } from "./tokens.ts";

export interface Note {
	readonly by: string;
	readonly text: string;
}

const NOTES_MAX = 200;

const project = actor({
	options: { name: "Project", icon: "lock" },
	state: { notes: [] as Note[] },
	// What actions believe about their caller is this, and never an argument. (It stands above what its type is inferred for.)
	createConnState: (_c, params: { token: string }) => ({
		...sessionOf(params.token),
		ending: null as string | null,
	}),
	// Of every connection and every call over HTTP, before anything else of theirs runs.
	onBeforeConnect: async (c, params: { token: string }) => {
		const session = await verifyToken(params?.token);
		if (session.project !== c.key[0]) {
			throw new UserError("The token is for another project", { code: "forbidden" });
		}
	},
	events: {
		note: event<Note>(),
		/** What admins may hear. */
		audit: event<{ user: string; did: string }>({
			canSubscribe: (c: { conn: { state: Session } }) => c.conn.state.role === "admin",
		}),
	},
	// A connection may outlive its token; a durable call ends it in time, also while the actor sleeps.
	onConnect: async (c, conn) => {
		if (conn.kind !== "websocket") return;
		conn.state.ending = await c.schedule.at(conn.state.expiresAt, "endSession", conn.id);
	},
	onDisconnect: async (c, conn) => {
		if (conn.state.ending) await c.schedule.cancel(conn.state.ending);
	},
	actions: {
		list: (c) => {
			demand(c, "viewer");
			return c.state.notes;
		},
		add: (c, text: string) => {
			const { user } = demand(c, "editor");
			const note = { by: user, text };
			c.state.notes.push(note);
			if (c.state.notes.length > NOTES_MAX) c.state.notes.shift();
			c.broadcast("note", note);
			c.broadcast("audit", { user, did: "add" });
			return note;
		},
		clear: (c) => {
			const { user } = demand(c, "admin");
			c.state.notes = [];
			c.broadcast("audit", { user, did: "clear" });
		},
		/** The schedule's own: it comes without a connection. */
		endSession: async (c, id: string) => {
			if (c.conn) throw new UserError("Not for clients", { code: "forbidden" });
			// A client that has a new token by now comes back with it.
			await c.conns.get(id)?.disconnect("token_expired");
		},
	},
});

/** Throws `forbidden` when the caller's role is less than `role`, and `token_expired` between the token's end and the connection's. */
function demand(c: ActionContextOf<typeof project>, role: Role): Session {
	const session = c.conn.state;
	if (session.expiresAt <= Date.now()) {
		throw new UserError("The token has expired", { code: "token_expired" });
	}
	if (ROLES.indexOf(session.role) < ROLES.indexOf(role)) {
		throw new UserError(`${session.user} is a ${session.role}; this takes a role of ${role}`, {
			code: "forbidden",
		});
	}
	return session;
}

export const registry = setup({
	use: { project },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
