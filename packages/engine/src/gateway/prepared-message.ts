import type { PreparedMessage } from "@rivetkit/protocol";
import { frameMessage } from "./websocket-frame.ts";

/** A message that is framed when the first network socket sends it, and only then. */
export class SharedMessage implements PreparedMessage {
	readonly data: string | Uint8Array;
	#frame: Buffer | undefined;

	constructor(data: string | Uint8Array) {
		this.data = data;
	}

	get frame(): Buffer {
		this.#frame ??= frameMessage(this.data);
		return this.#frame;
	}
}
