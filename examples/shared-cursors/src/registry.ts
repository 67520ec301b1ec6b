import { type ActorContextOf, actor, event, setup, UserError } from "rivetkit";

/** Where somebody points, as parts of the board's width and height: 0 to 1. */
export interface Point {
	readonly x: number;
	readonly y: number;
}

export interface Cursor extends Point {
	readonly id: string;
	readonly name: string;
}

export interface Note extends Point {
	readonly id: string;
	readonly text: string;
	readonly by: string;
}

const NAME_MAX = 40;
const NOTE_MAX = 200;
/** Older notes are dropped: state is for small, bounded data. */
const NOTES_MAX = 100;

const board = actor({
	options: { name: "Board", icon: "arrow-pointer" },
	// Notes are worth keeping; where a cursor was is not. It is the connection's, and goes with it.
	state: { notes: [] as Note[] },
	createConnState: (_c, params: { name: string }) => {
		const name = params?.name?.trim().slice(0, NAME_MAX);
		if (!name) throw new UserError("Tell your name", { code: "name_missing" });
		return { name, at: null as Point | null };
	},
	events: {
		moved: event<Cursor>(),
		left: event<string>(),
		noted: event<Note>(),
	},
	onDisconnect: (c, conn) => c.broadcast("left", conn.id),
	actions: {
		/** What somebody sees who just came. */
		look: (c) => ({ me: c.conn.id, cursors: cursors(c), notes: c.state.notes }),
		move: (c, x: number, y: number) => {
			const at = point(x, y);
			c.conn.state.at = at;
			c.broadcast("moved", { id: c.conn.id, name: c.conn.state.name, ...at });
		},
		note: (c, x: number, y: number, text: string) => {
			if (text.trim() === "" || text.length > NOTE_MAX) {
				throw new UserError(`A note has 1 to ${NOTE_MAX} characters`, { code: "note_length" });
			}
			const note = { id: crypto.randomUUID(), by: c.conn.state.name, text, ...point(x, y) };
			c.state.notes.push(note);
			if (c.state.notes.length > NOTES_MAX) c.state.notes.shift();
			c.broadcast("noted", note);
			return note;
		},
	},
});

function cursors(c: ActorContextOf<typeof board>): Cursor[] {
	return [...c.conns.values()].flatMap(({ id, state }) =>
		state.at ? [{ id, name: state.name, ...state.at }] : [],
	);
}

function point(x: number, y: number): Point {
	if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) {
		throw new UserError("That is beside the board", { code: "outside" });
	}
	return { x, y };
}

export const registry = setup({
	use: { board },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
