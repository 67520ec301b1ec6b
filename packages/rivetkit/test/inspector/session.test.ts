// One inspector's socket, as whoever carries it sees it.
import { catalogueError, type PlainSocket } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import { InspectorSession } from "../../src/runtime/inspector/socket/session.ts";
import type { Snapshot } from "../../src/runtime/inspector/socket/snapshot.ts";
import type { ActorView } from "../../src/runtime/inspector/view/actor-view.ts";

/** A socket that counts who listens, and what is done with it. */
function carried() {
	const done: string[] = [];
	let bufferedBytes = 0;
	let onClose = () => {};
	const socket: PlainSocket = {
		get bufferedBytes() {
			return bufferedBytes;
		},
		send: () => {},
		close: (code, reason) => void done.push(`close ${code} ${reason}`),
		listen: (handler) => {
			done.push("listen");
			onClose = () => handler.onClose(1000, "", true);
		},
	};
	return {
		done,
		socket,
		session: new InspectorSession(socket, null),
		fill: (bytes: number) => {
			bufferedBytes = bytes;
		},
		closed: () => onClose(),
	};
}

const nothing = { answer: async () => null, describe: () => "" };
const NOT_FOUND = "close 1011 route.not_found";

it("is listened to when it is refused, so that whoever carries it hears when it is closed", () => {
	const { session, done } = carried();
	session.refuse(catalogueError("route.not_found"));
	expect(done).toEqual(["listen", NOT_FOUND]);
});

it("is listened to once, whenever it is closed", () => {
	const { session, done, closed } = carried();
	let ends = 0;
	session.listen({ ...nothing, closed: () => ends++ });
	session.refuse(catalogueError("route.not_found"));
	closed();
	expect(done).toEqual(["listen", NOT_FOUND]);
	expect(ends).toBe(1);
});

it.each([
	[
		"refused",
		NOT_FOUND,
		({ session }: ReturnType<typeof carried>) => session.refuse(catalogueError("route.not_found")),
	],
	[
		"too far behind",
		"close 1011 connection.buffer_full",
		({ session, fill }: ReturnType<typeof carried>) => {
			fill(65 * 1024 * 1024);
			session.begin(VIEW, SNAPSHOT);
		},
	],
])("one that is %s before anybody listens is over for who comes to listen", (_, close, end) => {
	const one = carried();
	end(one);
	let ends = 0;
	one.session.listen({ ...nothing, closed: () => ends++ });
	expect(one.done).toEqual(["listen", close]);
	expect(ends).toBe(1);
});

const VIEW = { config: { hasState: false, actions: new Map() } } as unknown as ActorView;
const SNAPSHOT: Snapshot = {
	state: undefined,
	connections: [],
	queueSize: 0,
	schedules: [],
	workflowHistory: undefined,
	workflowRevision: null,
};
