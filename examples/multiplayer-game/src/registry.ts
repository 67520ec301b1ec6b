import { type ActorContextOf, actor, event, setup, UserError } from "rivetkit";
import {
	type Delta,
	DIRECTIONS,
	type Direction,
	type Input,
	newWorld,
	step,
	TICKS_PER_SECOND,
	type World,
} from "./world.ts";

const TICK_MS = 1_000 / TICKS_PER_SECOND;
/** Ticks that are made up for after a pause; of a longer one the rest is left out. */
const CATCH_UP_MAX = 5;
const NAME_MAX = 20;
const PLAYERS_MAX = 100;

const arena = actor({
	options: {
		name: "Arena",
		icon: "gem",
		// Twenty ticks a second need not wait for the disk each: a crash may cost what `stateSaveInterval` says.
		confirmWrites: false,
		stateSaveInterval: 1_000,
	},
	createState: (_c, input?: { seed?: number }): { world: World } => ({
		world: newWorld(input?.seed ?? 1),
	}),
	createVars: () => ({ inputs: [] as Input[], isPlaying: false }),
	createConnState: (_c, params: { name: string }) => {
		const name = params?.name?.trim().slice(0, NAME_MAX);
		if (!name) throw new UserError("Tell your name", { code: "name_missing" });
		return { name };
	},
	events: { delta: event<Delta>() },
	onWake: (c) => {
		// Whose connection did not come back with us.
		for (const id of Object.keys(c.state.world.players)) {
			if (!c.conns.has(id)) c.vars.inputs.push({ kind: "leave", id });
		}
		if (Object.keys(c.state.world.players).length > 0) play(c);
	},
	onConnect: (c, conn) => {
		if (conn.kind !== "websocket") return;
		if (Object.keys(c.state.world.players).length >= PLAYERS_MAX) {
			throw new UserError("The arena is full", { code: "full" });
		}
		c.vars.inputs.push({ kind: "join", id: conn.id, name: conn.state.name });
		play(c);
	},
	onDisconnect: (c, conn) => {
		if (conn.kind === "websocket") c.vars.inputs.push({ kind: "leave", id: conn.id });
	},
	actions: {
		/** All of it; what comes after are deltas. */
		snapshot: (c) => ({ me: c.conn.id, world: c.state.world }),
		/** Counts at the next tick; of several until then, the last one. */
		steer: (c, direction: Direction) => {
			if (!Object.hasOwn(DIRECTIONS, direction)) {
				throw new UserError("That is no direction", { code: "direction" });
			}
			const { id } = c.conn;
			const { inputs } = c.vars;
			const before = inputs.findIndex((input) => input.kind === "steer" && input.id === id);
			if (before !== -1) inputs.splice(before, 1);
			inputs.push({ kind: "steer", id, direction });
		},
	},
});

type Context = ActorContextOf<typeof arena>;

/** Ticks while there are players, and keeps the actor awake as long. */
function play(c: Context): void {
	if (c.vars.isPlaying) return;
	c.vars.isPlaying = true;
	c.keepAwake(ticks(c)).finally(() => {
		c.vars.isPlaying = false;
	});
}

async function ticks(c: Context): Promise<void> {
	let due = performance.now();
	do {
		due = Math.max(due + TICK_MS, performance.now() - CATCH_UP_MAX * TICK_MS);
		await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
		if (c.aborted) return;
		const delta = step(c.state.world, c.vars.inputs.splice(0));
		c.broadcast("delta", delta);
		// A score is worth a write of its own.
		if (delta.scores.length > 0) c.waitUntil(c.saveState({ immediate: true }));
	} while (Object.keys(c.state.world.players).length > 0 || c.vars.inputs.length > 0);
}

export const registry = setup({
	use: { arena },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
