const OPCODE = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];
export const opcodes: typeof OPCODE = OPCODE;

/** One client frame. The mask is zero, which is legal and leaves the payload as it is. */
export function clientFrame(opcode: Opcode, payload: Buffer): Buffer {
	const size = payload.length;
	if (size > 0xffff) throw new Error("the benchmarks send small messages only");
	const headSize = size < 126 ? 2 : 4;
	const frame = Buffer.alloc(headSize + 4 + size);
	frame[0] = 0x80 | opcode;
	if (size < 126) {
		frame[1] = 0x80 | size;
	} else {
		frame[1] = 0x80 | 126;
		frame.writeUInt16BE(size, 2);
	}
	payload.copy(frame, headSize + 4);
	return frame;
}

/** Cuts a stream of server frames, which are unmasked, into messages. */
export class FrameReader {
	#rest: Buffer | undefined;
	readonly #onFrame: (opcode: number, payload: Buffer) => void;

	/** The payload is valid only during the call. */
	constructor(onFrame: (opcode: number, payload: Buffer) => void) {
		this.#onFrame = onFrame;
	}

	/** `chunk` may be reused by the caller afterwards. */
	push(chunk: Buffer): void {
		const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
		let at = 0;
		while (at + 2 <= bytes.length) {
			let size = (bytes[at + 1] as number) & 0x7f;
			let start = at + 2;
			if (size === 126) {
				if (at + 4 > bytes.length) break;
				size = bytes.readUInt16BE(at + 2);
				start = at + 4;
			} else if (size === 127) {
				if (at + 10 > bytes.length) break;
				size = Number(bytes.readBigUInt64BE(at + 2));
				start = at + 10;
			}
			if (start + size > bytes.length) break;
			this.#onFrame((bytes[at] as number) & 0x0f, bytes.subarray(start, start + size));
			at = start + size;
		}
		this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : undefined;
	}
}
