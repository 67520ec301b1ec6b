import { connect, type Socket } from "node:net";

const RECEIVE_BUFFER_BYTES = 16 * 1024;
const CLOSED = "the server closed the connection";

/** One keep-alive HTTP/1.1 connection with one request at a time, straight on a TCP socket. */
export class HttpConnection {
	readonly #socket: Socket;
	#received = "";
	#answer: ((body: string) => void) | undefined;
	#fail: ((error: Error) => void) | undefined;
	#isClosed = false;

	private constructor(socket: Socket) {
		this.#socket = socket;
	}

	static open(port: number): Promise<HttpConnection> {
		return new Promise((resolve, reject) => {
			const socket = connect({
				port,
				host: "127.0.0.1",
				noDelay: true,
				onread: {
					buffer: Buffer.allocUnsafe(RECEIVE_BUFFER_BYTES),
					callback: (size, buffer) => {
						connection.#receive(
							Buffer.from(buffer.buffer, buffer.byteOffset, size).toString("latin1"),
						);
						return true;
					},
				},
			});
			const connection = new HttpConnection(socket);
			socket.once("connect", () => resolve(connection));
			socket.on("error", (error) => {
				reject(error);
				connection.#fail?.(error);
			});
			socket.on("close", () => {
				connection.#isClosed = true;
				connection.#fail?.(new Error(CLOSED));
			});
		});
	}

	/**
	 * Sends one prebuilt request and calls back with the body of a 200 answer. One at a time.
	 * Callbacks rather than promises: nothing but the request costs anything here.
	 */
	send(request: Buffer, answer: (body: string) => void, fail: (error: Error) => void): void {
		if (this.#isClosed) {
			fail(new Error(CLOSED));
			return;
		}
		this.#answer = answer;
		this.#fail = fail;
		this.#socket.write(request);
	}

	call(request: Buffer): Promise<string> {
		return new Promise((resolve, reject) => this.send(request, resolve, reject));
	}

	close(): void {
		this.#fail = undefined;
		this.#socket.destroy();
	}

	#receive(chunk: string): void {
		this.#received += chunk;
		let body: string | undefined;
		try {
			body = completeBody(this.#received);
		} catch (error) {
			this.#isClosed = true;
			this.#fail?.(error as Error);
			return;
		}
		if (body === undefined) return;
		const text = this.#received;
		this.#received = "";
		if (text.startsWith("HTTP/1.1 200")) this.#answer?.(body);
		else this.#fail?.(new Error(`the server answered ${text}`));
	}
}

const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;

/**
 * The body of a response, or undefined while some of it is missing. Latin-1 text on both sides.
 * Exported for its test.
 */
export function completeBody(response: string): string | undefined {
	const headEnd = response.indexOf("\r\n\r\n");
	if (headEnd < 0) return undefined;
	const head = response.slice(0, headEnd);
	const start = headEnd + 4;
	const length = LENGTH.exec(head)?.[1];
	if (length !== undefined) {
		const end = start + Number(length);
		return response.length < end ? undefined : response.slice(start, end);
	}
	if (!CHUNKED.test(head)) throw new Error(`neither a length nor chunks: ${head}`);
	let body = "";
	let at = start;
	for (;;) {
		const lineEnd = response.indexOf("\r\n", at);
		if (lineEnd < 0) return undefined;
		const size = Number.parseInt(response.slice(at, lineEnd), 16);
		const end = lineEnd + 2 + size + 2;
		if (response.length < end) return undefined;
		if (size === 0) return body;
		body += response.slice(lineEnd + 2, lineEnd + 2 + size);
		at = end;
	}
}

/**
 * Opens connections for one sample and closes them after it. Servers close what is idle for some
 * seconds, and between two samples of a server the others have their turn.
 */
export async function withConnections<T>(
	port: number,
	count: number,
	use: (connections: readonly HttpConnection[]) => Promise<T>,
): Promise<T> {
	const connections = await Promise.all(
		Array.from({ length: count }, () => HttpConnection.open(port)),
	);
	try {
		return await use(connections);
	} finally {
		for (const connection of connections) connection.close();
	}
}

/** A request with a JSON body, ready to be sent any number of times. */
export function jsonRequest(method: string, path: string, body: string): Buffer {
	return Buffer.from(
		`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
	);
}
