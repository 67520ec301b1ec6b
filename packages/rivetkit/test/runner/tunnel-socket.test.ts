import type { ToServerTunnelMessageKind } from "@rivetkit/protocol/runner";
import { expect, it } from "vitest";
import { TunnelSocket } from "../../src/backends/runner/tunnel-socket.ts";

/** Who listens to a socket, and what the socket tells its engine. */
function listening() {
	const told: ToServerTunnelMessageKind[] = [];
	const heard: string[] = [];
	return {
		heard,
		tell: (kind: ToServerTunnelMessageKind) => void told.push(kind),
		handler: {
			onMessage: (data: string | Uint8Array, index: number) => void heard.push(`${index} ${data}`),
			onClose: (code: number) => void heard.push(`close ${code}`),
		},
		acknowledged: () =>
			told.flatMap((kind) => (kind.tag === "ToServerWebSocketMessageAck" ? [kind.val.index] : [])),
	};
}

it("a message that comes again is acknowledged again, and not handled twice", () => {
	const { tell, handler, heard, acknowledged } = listening();
	const socket = TunnelSocket.opening("a", tell, () => 0);
	socket.listen(handler);
	socket.hold();
	for (const index of [1, 2, 3]) socket.received(`m${index}`, index);
	socket.acknowledge(2);
	// The engine has not heard of it: the runner's socket was broken.
	for (const index of [1, 2, 3]) socket.received(`m${index}`, index);
	expect(heard).toEqual(["1 m1", "2 m2", "3 m3"]);
	// The third is still being worked on.
	expect(acknowledged()).toEqual([2, 2, 2]);
	socket.acknowledge(3);
	socket.received("m4", 4);
	expect([heard.at(-1), acknowledged().at(-1)]).toEqual(["4 m4", 3]);
});

it("what the incarnation before has handled, and not acknowledged, is heard: whoever listens knows of it", () => {
	const { tell, handler, heard } = listening();
	const socket = TunnelSocket.restored("a", tell, () => 0);
	socket.listen(handler, 5);
	for (const index of [4, 5, 6]) socket.received(`m${index}`, index);
	socket.received("m8", 8);
	expect(heard.slice(0, 3)).toEqual(["4 m4", "5 m5", "6 m6"]);
	expect(heard).not.toContain("8 m8");
});

it("a message that is as old as none can be is dropped", () => {
	const { tell, handler, heard, acknowledged } = listening();
	const socket = TunnelSocket.restored("a", tell, () => 0);
	socket.listen(handler, 0);
	socket.received("m", 65_535);
	socket.received("m1", 1);
	expect([heard, acknowledged()]).toEqual([["1 m1"], []]);
});
