import { connect, type Socket } from "node:net";

/** Sends text (or bytes) over a fresh TCP connection and returns what comes back until the server ends. */
export async function exchange(port: number, ...parts: (string | Uint8Array)[]): Promise<string> {
	const socket = await open(port);
	const received = untilClosed(socket);
	for (const part of parts) {
		socket.write(part);
	}
	return received;
}

export function open(port: number): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1", () => {
			socket.off("error", reject);
			socket.on("error", () => {});
			resolve(socket);
		});
		socket.once("error", reject);
	});
}

/** Everything the server sends until the connection is closed, also by a reset. */
export function untilClosed(socket: Socket): Promise<string> {
	return new Promise((resolve) => {
		const chunks: Buffer[] = [];
		socket.on("data", (chunk) => chunks.push(chunk));
		socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
	});
}

/** Resolves with everything received so far as soon as it contains `wanted`. */
export function untilReceived(socket: Socket, wanted: string): Promise<string> {
	return new Promise((resolve, reject) => {
		let text = "";
		socket.on("data", (chunk: Buffer) => {
			text += chunk.toString("latin1");
			if (text.includes(wanted)) {
				resolve(text);
			}
		});
		socket.on("close", () => reject(new Error(`closed before ${wanted}: ${text}`)));
	});
}
