/** Arrays as parameters in PostgreSQL's binary form: bytes go as they are, not as hexadecimal text. */

const OID = { bytea: 17, int8: 20, text: 25 } as const;
const HEADER_BYTES = 20;

export function byteaArray(values: readonly (Uint8Array | null)[]): Buffer {
	return encode(OID.bytea, values);
}

export function textArray(values: readonly string[]): Buffer {
	return encode(
		OID.text,
		values.map((value) => Buffer.from(value, "utf8")),
	);
}

/** Whole numbers, `null` for none. */
export function int8Array(values: readonly (number | null)[]): Buffer {
	return encode(
		OID.int8,
		values.map((value) => {
			if (value === null) {
				return null;
			}
			const bytes = Buffer.allocUnsafe(8);
			bytes.writeBigInt64BE(BigInt(value));
			return bytes;
		}),
	);
}

function encode(oid: number, values: readonly (Uint8Array | null)[]): Buffer {
	if (values.length === 0) {
		const empty = Buffer.alloc(12);
		empty.writeInt32BE(oid, 8);
		return empty;
	}
	const bytes = values.reduce((sum, value) => sum + 4 + (value?.byteLength ?? 0), HEADER_BYTES);
	const buffer = Buffer.allocUnsafe(bytes);
	buffer.writeInt32BE(1, 0);
	buffer.writeInt32BE(values.includes(null) ? 1 : 0, 4);
	buffer.writeInt32BE(oid, 8);
	buffer.writeInt32BE(values.length, 12);
	buffer.writeInt32BE(1, 16);
	let at = HEADER_BYTES;
	for (const value of values) {
		buffer.writeInt32BE(value === null ? -1 : value.byteLength, at);
		at += 4;
		if (value !== null) {
			buffer.set(value, at);
			at += value.byteLength;
		}
	}
	return buffer;
}
