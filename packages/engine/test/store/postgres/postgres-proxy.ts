import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * - `before`: the connection breaks, and the server never hears of the COMMIT
 * - `after`: it breaks when the server has committed, and the client never hears of that
 * - `hanging`: as `before`, but the server does not notice
 */
export type Cut = "before" | "after" | "hanging";

/** Stands between a store and its PostgreSQL, reads their messages and breaks connections when told to. */
export class PostgresProxy {
	readonly #server: Server;
	readonly #target: URL;
	readonly #open = new Set<Socket>();
	#next: Cut | undefined;
	#nextAnswer: string | undefined;
	#told: (() => void) | undefined;
	/** As a pooler does: each client is told a number of the proxy's own. */
	handsOutNumbers = false;
	/** What sessions tell each other (NOTIFY) does not come through. */
	dropsNotifications = false;
	droppedCount = 0;

	private constructor(server: Server, target: URL) {
		this.#server = server;
		this.#target = target;
	}

	static async start(url: string): Promise<PostgresProxy> {
		const server = createServer();
		const proxy = new PostgresProxy(server, new URL(url));
		server.on("connection", (client) => proxy.#serve(client));
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return proxy;
	}

	get url(): string {
		const url = new URL(this.#target);
		url.port = String((this.#server.address() as { port: number }).port);
		return url.href;
	}

	/** Breaks the connection of the next COMMIT; resolves when that is done. */
	cutNextCommit(cut: Cut): Promise<void> {
		this.#next = cut;
		return new Promise((resolve) => {
			this.#told = resolve;
		});
	}

	/** Breaks the connection of the next command that is answered so (`UPDATE 1`), when it is done; resolves then. */
	cutNextAnswer(tag: string): Promise<void> {
		this.#nextAnswer = tag;
		return new Promise((resolve) => {
			this.#told = resolve;
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.close();
		for (const socket of this.#open) {
			socket.destroy();
		}
	}

	#serve(client: Socket): void {
		const server = connect(Number(this.#target.port), this.#target.hostname);
		let cut: Cut | undefined;
		let hangs = false;
		const end = (isToHang = false) => {
			client.destroy();
			if (isToHang) {
				hangs = true;
			} else {
				server.destroy();
			}
			this.#told?.();
		};
		for (const socket of [client, server]) {
			this.#open.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => {
				this.#open.delete(socket);
				if (!hangs) {
					(socket === client ? server : client).destroy();
				}
			});
		}
		// The first message of a client has no type.
		eachMessage(client, false, (message, type) => {
			if (type === "Q" && message.includes("COMMIT\0") && this.#next !== undefined) {
				cut = this.#next;
				this.#next = undefined;
				if (cut !== "after") {
					end(cut === "hanging");
					return;
				}
			}
			server.write(message);
		});
		eachMessage(server, true, (message, type) => {
			if (cut === "after" && type === "C" && message.includes("COMMIT\0")) {
				end();
				return;
			}
			if (type === "C" && this.#nextAnswer !== undefined && tagOf(message) === this.#nextAnswer) {
				this.#nextAnswer = undefined;
				end();
				return;
			}
			if (type === "K" && this.handsOutNumbers) {
				message.writeInt32BE(4711, 5);
			}
			if (type === "A" && this.dropsNotifications) {
				this.droppedCount++;
				return;
			}
			client.write(message);
		});
	}
}

/** What a command has done, without the zero at its end. */
const tagOf = (message: Buffer) => message.subarray(5, -1).toString();

function eachMessage(
	socket: Socket,
	isTyped: boolean,
	take: (message: Buffer, type: string) => void,
): void {
	let buffered = Buffer.alloc(0);
	let typeBytes = isTyped ? 1 : 0;
	socket.on("data", (data: Buffer) => {
		buffered = Buffer.concat([buffered, data]);
		while (buffered.length >= typeBytes + 4) {
			const bytes = typeBytes + buffered.readInt32BE(typeBytes);
			if (buffered.length < bytes) {
				return;
			}
			const message = Buffer.from(buffered.subarray(0, bytes));
			buffered = buffered.subarray(bytes);
			take(message, typeBytes === 1 ? String.fromCharCode(message[0]!) : "");
			typeBytes = 1;
		}
	});
}
