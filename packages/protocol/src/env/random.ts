/** The one source of randomness; tests pass a seeded one. */
export interface Random {
	/** `length` random bytes. */
	bytes(length: number): Uint8Array;
	/** A uniformly distributed number in [0, 1). */
	fraction(): number;
	/** A version 4 UUID in its usual text form. */
	uuid(): string;
}

/** Cryptographic randomness of the runtime (Web Crypto). */
export function systemRandom(): Random {
	return {
		bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
		fraction: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
		uuid: () => crypto.randomUUID(),
	};
}
