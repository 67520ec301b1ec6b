/** Framing of server messages (RFC 6455 section 5): unmasked, never fragmented, no extensions. */

const FIN = 0x80;
const OPCODE_TEXT = 0x1;
const OPCODE_BINARY = 0x2;
const LENGTH_16_BIT = 126;
const LENGTH_64_BIT = 127;

/** Length of the frame around a payload. */
export function frameSize(payloadBytes: number): number {
	return payloadBytes + headSize(payloadBytes);
}

function headSize(payloadBytes: number): number {
	return payloadBytes < LENGTH_16_BIT ? 2 : payloadBytes < 65_536 ? 4 : 10;
}

/**
 * One message as one frame: text for a string, binary for bytes. The bytes are copied.
 *
 * @param payloadBytes - length of the message in UTF-8 or bytes
 */
export function frameMessage(
	message: string | Uint8Array,
	payloadBytes = messageSize(message),
): Buffer {
	const frame = Buffer.allocUnsafe(frameSize(payloadBytes));
	writeFrame(frame, 0, message, payloadBytes);
	return frame;
}

/** Writes a frame at `at` of a buffer that has {@link frameSize} bytes of room there. */
export function writeFrame(
	target: Buffer,
	at: number,
	message: string | Uint8Array,
	payloadBytes: number,
): void {
	const isText = typeof message === "string";
	const headBytes = headSize(payloadBytes);
	target[at] = FIN | (isText ? OPCODE_TEXT : OPCODE_BINARY);
	if (headBytes === 2) {
		target[at + 1] = payloadBytes;
	} else if (headBytes === 4) {
		target[at + 1] = LENGTH_16_BIT;
		target.writeUInt16BE(payloadBytes, at + 2);
	} else {
		target[at + 1] = LENGTH_64_BIT;
		target.writeUIntBE(0, at + 2, 2);
		target.writeUIntBE(payloadBytes, at + 4, 6);
	}
	if (isText) {
		target.write(message, at + headBytes);
	} else {
		target.set(message, at + headBytes);
	}
}

/** Length of a message's payload in bytes. */
export function messageSize(message: string | Uint8Array): number {
	return typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
}
