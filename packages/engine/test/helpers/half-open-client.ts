/**
 * A process of its own that opens many connections and says half of what it should: its file
 * descriptors do not count against the server's. Arguments: port, count, kinds as JSON (latin1).
 */
import { connect, type Socket } from "node:net";

const AT_ONCE = 500;

const [port, count, kinds] = [
	Number(process.argv[2]),
	Number(process.argv[3]),
	JSON.parse(process.argv[4]!) as string[],
];
const sockets: Socket[] = [];

function open(kind: string): Promise<void> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1", () => {
			socket.off("error", reject);
			socket.on("error", () => {});
			socket.write(kind, "latin1", () => resolve());
		});
		socket.once("error", reject);
		sockets.push(socket);
	});
}

process.once("message", () => {
	for (const socket of sockets) {
		socket.destroy();
	}
	process.disconnect();
});
while (sockets.length < count) {
	const batch = Math.min(AT_ONCE, count - sockets.length);
	await Promise.all(
		Array.from({ length: batch }, (_, offset) => open(kinds[offset % kinds.length]!)),
	);
}
process.send!("ready");
