import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A network between clients and a server that a test can cut, and hold back on the way to the clients. */
export class CuttableProxy {
	readonly #server: Server;
	readonly #pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
	#targetPort: number;
	#isHeld = false;

	private constructor(targetPort: number) {
		this.#targetPort = targetPort;
		this.#server = createServer((client) => this.#join(client));
	}

	static async start(targetUrl: string): Promise<CuttableProxy> {
		const proxy = new CuttableProxy(Number(new URL(targetUrl).port));
		proxy.#server.listen(0, "127.0.0.1");
		await once(proxy.#server, "listening");
		return proxy;
	}

	get url(): string {
		const { port } = this.#server.address() as { port: number };
		return `http://127.0.0.1:${port}`;
	}

	/** Where connections go from now on. */
	retarget(url: string): void {
		this.#targetPort = Number(new URL(url).port);
	}

	/** From now on nothing that servers send arrives, until the next cut. */
	hold(): void {
		this.#isHeld = true;
	}

	/** Every connection breaks; what was on the way is lost. */
	cut(): void {
		this.#isHeld = false;
		for (const { client, server } of this.#pairs) {
			client.destroy();
			server.destroy();
		}
	}

	#join(client: Socket): void {
		const server = connect(this.#targetPort, "127.0.0.1");
		const pair = { client, server };
		this.#pairs.add(pair);
		const end = () => {
			this.#pairs.delete(pair);
			client.destroy();
			server.destroy();
		};
		client.on("data", (chunk) => server.write(chunk));
		server.on("data", (chunk) => {
			if (!this.#isHeld) client.write(chunk);
		});
		for (const socket of [client, server]) {
			socket.on("error", () => {});
			socket.on("close", end);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cut();
		this.#server.close();
		await once(this.#server, "close");
	}
}
