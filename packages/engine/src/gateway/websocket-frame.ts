/** Framing of server messages (RFC 6455 section 5): unmasked, never fragmented, no extensions. */

const FIN = 0x80;
const OPCODE_TEXT = 0x1;
const OPCODE_BINARY = 0x2;
const LENGTH_16_BIT = 126;
const LENGTH_64_BIT = 127;

/** One message as one frame: text for a string, binary for bytes. The bytes are copied. */
export function frameMessage(message: string | Uint8Array): Buffer {
	const isText = typeof message === "string";
	const length = isText ? Buffer.byteLength(message) : message.byteLength;
	const headLength = length < LENGTH_16_BIT ? 2 : length < 65_536 ? 4 : 10;
	const frame = Buffer.allocUnsafe(headLength + length);
	frame[0] = FIN | (isText ? OPCODE_TEXT : OPCODE_BINARY);
	if (headLength === 2) {
		frame[1] = length;
	} else if (headLength === 4) {
		frame[1] = LENGTH_16_BIT;
		frame.writeUInt16BE(length, 2);
	} else {
		frame[1] = LENGTH_64_BIT;
		frame.writeUIntBE(0, 2, 2);
		frame.writeUIntBE(length, 4, 6);
	}
	if (isText) {
		frame.write(message, headLength);
	} else {
		frame.set(message, headLength);
	}
	return frame;
}

/** Whether an endpoint may send this close code (RFC 6455 section 7.4). */
export function isSendableCloseCode(code: number): boolean {
	return (
		(code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
		(code >= 3000 && code <= 4999)
	);
}
