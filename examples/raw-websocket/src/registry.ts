import { type ActorContextOf, actor, setup, type UniversalWebSocket } from "rivetkit";

/** What a sensor sends: `{"sensor":"roof","value":21.5}`. Everybody gets it, with `at`. */
export interface Reading {
	readonly sensor: string;
	readonly value: number;
	/** Milliseconds since the epoch. */
	readonly at: number;
}

const SENSORS_MAX = 100;
/** Characters of a message. */
const MESSAGE_MAX = 1_024;

const station = actor({
	options: {
		name: "Weather station",
		icon: "temperature-half",
		// A sensor sends once in a while. Its socket stays open meanwhile, and the actor costs nothing.
		canHibernateWebSocket: true,
		sleepTimeout: 5_000,
	},
	state: { latest: {} as Record<string, Reading>, wakes: 0 },
	createVars: () => ({ sockets: new Set<UniversalWebSocket>() }),
	onWake: (c) => {
		c.state.wakes += 1;
	},
	// Runs for each new socket, and again for each open one when the actor has slept.
	onWebSocket: (c, socket) => {
		c.vars.sockets.add(socket);
		// Only of a new one.
		socket.addEventListener("open", () => {
			for (const reading of Object.values(c.state.latest)) socket.send(JSON.stringify(reading));
		});
		socket.addEventListener("message", ({ data }) => {
			if (data.length > MESSAGE_MAX) return socket.close(1009, `at most ${MESSAGE_MAX} characters`);
			const reading = parse(data);
			if (!reading) return socket.close(1007, 'send {"sensor":"…","value":…}');
			if (!(reading.sensor in c.state.latest) && isFull(c)) {
				return socket.close(1008, `a station has at most ${SENSORS_MAX} sensors`);
			}
			c.state.latest[reading.sensor] = reading;
			// Leaves when the reading is on disk.
			for (const other of c.vars.sockets) other.send(JSON.stringify(reading));
		});
		socket.addEventListener("close", () => c.vars.sockets.delete(socket));
	},
	actions: {
		latest: (c) => c.state.latest,
		wakes: (c) => c.state.wakes,
	},
});

function isFull(c: ActorContextOf<typeof station>): boolean {
	return Object.keys(c.state.latest).length >= SENSORS_MAX;
}

function parse(data: unknown): Reading | null {
	if (typeof data !== "string") return null;
	let sent: unknown;
	try {
		sent = JSON.parse(data);
	} catch {
		return null;
	}
	const { sensor, value } = (sent ?? {}) as Record<string, unknown>;
	if (typeof sensor !== "string" || !/^\w{1,32}$/.test(sensor) || typeof value !== "number") {
		return null;
	}
	return { sensor, value, at: Date.now() };
}

export const registry = setup({
	use: { station },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
