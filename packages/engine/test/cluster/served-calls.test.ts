// What a node does for another one that asks.
import { type ActorHost, type ActorSocket, CLOSE_GOING_AWAY } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import type { LinkCall } from "../../src/cluster/link-messages.ts";
import { LinkSockets } from "../../src/cluster/link-sockets.ts";
import type { NodeLink } from "../../src/cluster/node-link.ts";
import { ServedCalls, type ServedCallsOptions } from "../../src/cluster/served-calls.ts";

it.each(["openSocket", "inspectSocket"] as const)(
	"%s: a socket that the actor does not take is nobody's: nothing of it is kept",
	async (what) => {
		const [sockets, inspectors] = [new LinkSockets(), new LinkSockets()];
		const heard: unknown[] = [];
		const openSocket: ActorHost["openSocket"] = async (_actorId, _upgrade, socket) =>
			refuse(socket);
		const inspectSocket = async (_actorId: string, _upgrade: unknown, socket: ActorSocket) =>
			refuse(socket);
		const refuse = (socket: ActorSocket) => {
			socket.listen({
				onMessage: (message) => heard.push(message),
				onClose: (code) => heard.push(code),
			});
			throw new Error("not taken");
		};
		const placement = { liveHere: () => ({ generation: 1, host: { openSocket } }) };
		const calls = new ServedCalls({
			sockets,
			inspectors,
			engine: () => ({ placement, inspectSocket }),
		} as unknown as ServedCallsOptions);
		const link = { deed() {} } as unknown as NodeLink;
		const call = {
			do: what,
			actorId: "a",
			generation: 1,
			path: "/",
			headers: [],
			protocols: [],
			socket: {
				key: 7,
				id: "",
				protocol: "",
				sentCount: 0,
				isInterrupted: false,
				canHibernate: false,
			},
		} as LinkCall;
		await expect(calls.serve(link, call, new AbortController().signal)).rejects.toThrow(
			"not taken",
		);
		for (const all of [sockets, inspectors]) {
			all.heard(link, 7, { message: "hello", index: 0 });
			all.heard(link, 7, { closed: [CLOSE_GOING_AWAY, "", true] });
			all.linkLost(link);
		}
		expect(heard).toEqual([]);
	},
);
