/** Certificates for tests, made here: X.509 by hand, so that no program is needed for it. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

const DAY_MS = 86_400_000;
const TAG = {
	integer: 0x02,
	bitString: 0x03,
	octetString: 0x04,
	oid: 0x06,
	utf8: 0x0c,
	sequence: 0x30,
	set: 0x31,
	generalizedTime: 0x18,
} as const;
const SAN_NAME = 0x82;
const SAN_ADDRESS = 0x87;

const OID = {
	ecdsaWithSha256: "2a8648ce3d040302",
	commonName: "550403",
	basicConstraints: "551d13",
	subjectAltName: "551d11",
} as const;

export interface Certified {
	/** PEM. */
	readonly cert: string;
	readonly key: string;
}

/** An authority, and what it vouches for. */
export class Authority {
	readonly #name: Buffer;
	readonly #key: KeyObject;
	/** PEM of its own certificate. */
	readonly cert: string;

	constructor(name: string) {
		const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
		this.#name = nameOf(name);
		this.#key = privateKey;
		const isAuthority = sequence(der(0x01, Buffer.of(0xff)));
		this.cert = this.#certify(this.#name, publicKey, [
			extension(OID.basicConstraints, isAuthority, true),
		]);
	}

	/** @param hosts - names and IPv4 addresses that it is good for */
	issue(name: string, hosts: readonly string[] = []): Certified {
		const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
		const names = hosts.map((host) =>
			/^[\d.]+$/.test(host)
				? der(SAN_ADDRESS, Buffer.from(host.split(".").map(Number)))
				: der(SAN_NAME, Buffer.from(host)),
		);
		const extensions =
			names.length === 0 ? [] : [extension(OID.subjectAltName, sequence(...names))];
		return {
			cert: this.#certify(nameOf(name), publicKey, extensions),
			key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
		};
	}

	#certify(subject: Buffer, publicKey: KeyObject, extensions: readonly Buffer[]): string {
		const algorithm = sequence(oid(OID.ecdsaWithSha256));
		const serial = Buffer.concat([Buffer.of(0x01), randomBytes(8)]);
		const content = sequence(
			der(0xa0, der(TAG.integer, Buffer.of(2))),
			der(TAG.integer, serial),
			algorithm,
			this.#name,
			sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
			subject,
			publicKey.export({ type: "spki", format: "der" }) as Buffer,
			...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
		);
		const signature = sign("sha256", content, this.#key);
		const whole = sequence(content, algorithm, der(TAG.bitString, Buffer.of(0), signature));
		const lines = whole.toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
		return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
	}
}

function nameOf(commonName: string): Buffer {
	const value = der(TAG.utf8, Buffer.from(commonName));
	return sequence(der(TAG.set, sequence(oid(OID.commonName), value)));
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
	const critical = isCritical ? [der(0x01, Buffer.of(0xff))] : [];
	return sequence(oid(id), ...critical, der(TAG.octetString, value));
}

function time(ms: number): Buffer {
	const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
	return der(TAG.generalizedTime, Buffer.from(text));
}

const oid = (hex: string) => der(TAG.oid, Buffer.from(hex, "hex"));
const sequence = (...parts: readonly Buffer[]) => der(TAG.sequence, ...parts);

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
	const content = Buffer.concat(parts);
	const { length } = content;
	const size =
		length < 0x80
			? Buffer.of(length)
			: length < 0x100
				? Buffer.of(0x81, length)
				: Buffer.of(0x82, length >> 8, length & 0xff);
	return Buffer.concat([Buffer.of(tag), size, content]);
}
