import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Stands on the way to one node, so that the links to it can be cut. */
export class Relay {
	readonly #server: Server;
	readonly #open = new Set<Socket>();
	#isCut = false;
	targetPort = 0;

	private constructor() {
		this.#server = createServer((caller) => this.#join(caller));
	}

	static async start(): Promise<Relay> {
		const relay = new Relay();
		relay.#server.listen(0, "127.0.0.1");
		await once(relay.#server, "listening");
		return relay;
	}

	get port(): number {
		return (this.#server.address() as { port: number }).port;
	}

	/** Whatever goes through here breaks, and nothing comes through until {@link mend}. */
	cut(): void {
		this.#isCut = true;
		for (const socket of this.#open) socket.destroy();
	}

	mend(): void {
		this.#isCut = false;
	}

	close(): void {
		this.cut();
		this.#server.close();
	}

	#join(caller: Socket): void {
		if (this.#isCut) {
			caller.destroy();
			return;
		}
		const target = connect(this.targetPort, "127.0.0.1");
		for (const [socket, other] of [
			[caller, target],
			[target, caller],
		] as const) {
			this.#open.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => {
				this.#open.delete(socket);
				other.destroy();
			});
			socket.pipe(other);
		}
	}
}
