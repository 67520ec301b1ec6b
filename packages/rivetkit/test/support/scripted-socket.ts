import {
	type ActorSocket,
	type ActorSocketHandler,
	decodeToClient,
	encodeToServer,
	type PreparedMessage,
	type ToClient,
	type ToServer,
} from "@rivetkit/protocol";

/** A gateway's socket as a test wants it to be: what it delivers and when, and what becomes of it. */
export class ScriptedSocket implements ActorSocket {
	readonly id: string;
	readonly protocol = "rivet";
	readonly bufferedBytes = 0;
	readonly canHibernate = true;
	readonly outlivesHost: boolean;
	isInterrupted = false;
	sentCount = 0;
	/** What the client was sent, as it came. */
	readonly frames: (string | Uint8Array)[] = [];
	/** What the incarnation did with it, in order: `hold`, `acknowledge 3`, `close 1000`, `release`. */
	readonly deeds: string[] = [];
	#handler: ActorSocketHandler | null = null;

	constructor(id: string, outlivesHost: boolean) {
		this.id = id;
		this.outlivesHost = outlivesHost;
	}

	/** The same client for the next incarnation. */
	next(): ScriptedSocket {
		const socket = new ScriptedSocket(this.id, this.outlivesHost);
		socket.sentCount = this.sentCount;
		return socket;
	}

	deliver(index: number, message: ToServer | string): void {
		const data = typeof message === "string" ? message : encodeToServer("json", message);
		this.#handler!.onMessage(data, index);
	}

	act(index: number, name: string, ...args: unknown[]): void {
		this.deliver(index, { tag: "ActionRequest", id: index, name, args });
	}

	leave(): void {
		this.#handler!.onClose(1000, "", true);
	}

	/** Frames of a `/connect` socket, decoded. */
	get sent(): ToClient[] {
		return this.frames.map((frame) => decodeToClient("json", frame));
	}

	/** Answers so far: outputs, or error codes, by the id of the call. */
	get answers(): Record<string, unknown> {
		return Object.fromEntries(
			this.sent.flatMap((frame): [PropertyKey, unknown][] => {
				if (frame.tag === "ActionResponse") return [[String(frame.id), frame.output]];
				if (frame.tag === "Error")
					return [[String(frame.actionId), `${frame.group}.${frame.code}`]];
				return [];
			}),
		);
	}

	/** The highest index that was acknowledged. */
	get acknowledged(): number {
		const last = this.deeds.findLast((deed) => deed.startsWith("acknowledge"));
		return Number(last?.split(" ")[1] ?? 0);
	}

	send(message: string | Uint8Array): void {
		this.sentCount++;
		this.frames.push(message);
	}
	sendPrepared({ data }: PreparedMessage): void {
		this.send(data);
	}
	prepare(data: string | Uint8Array): PreparedMessage {
		return { data };
	}
	ping(): void {}
	close(code: number): void {
		this.deeds.push(`close ${code}`);
	}
	listen(handler: ActorSocketHandler): void {
		this.#handler = handler;
	}
	hold(): void {
		this.deeds.push("hold");
	}
	acknowledge(index: number): void {
		this.deeds.push(`acknowledge ${index}`);
	}
	release(): void {
		this.deeds.push("release");
	}
}
