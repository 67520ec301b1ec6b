/**
 * How two nodes make sure of each other: both know the secret that is in their database, and show it without
 * sending it. The one that is called begins, so that nothing recorded can be used again.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Random } from "@rivetkit/protocol";

const NONCE_BYTES = 16;

export interface Hello {
	readonly nonce: string;
}

export interface Introduction {
	readonly from: number;
	readonly to: number;
	readonly nonce: string;
	readonly proof: string;
}

export interface Welcome {
	readonly proof: string;
}

export class Handshake {
	readonly #secret: string;
	readonly #random: Random;

	constructor(secret: string, random: Random) {
		this.#secret = secret;
		this.#random = random;
	}

	hello(): Hello {
		return { nonce: this.#nonce() };
	}

	introduce(hello: Hello, from: number, to: number): Introduction {
		const nonce = this.#nonce();
		return { from, to, nonce, proof: this.#prove("caller", hello.nonce, nonce, from, to) };
	}

	/** Undefined when it does not know the secret. */
	welcome(hello: Hello, { from, to, nonce, proof }: Introduction): Welcome | undefined {
		return isSame(proof, this.#prove("caller", hello.nonce, nonce, from, to))
			? { proof: this.#prove("called", nonce, hello.nonce, from, to) }
			: undefined;
	}

	isWelcome(hello: Hello, { from, to, nonce }: Introduction, welcome: Welcome): boolean {
		return isSame(welcome.proof, this.#prove("called", nonce, hello.nonce, from, to));
	}

	#nonce(): string {
		return Buffer.from(this.#random.bytes(NONCE_BYTES)).toString("hex");
	}

	#prove(role: string, theirs: string, own: string, from: number, to: number): string {
		return createHmac("sha256", this.#secret)
			.update(JSON.stringify([role, theirs, own, from, to]))
			.digest("hex");
	}
}

function isSame(a: unknown, b: string): boolean {
	return (
		typeof a === "string" &&
		a.length === b.length &&
		timingSafeEqual(Buffer.from(a), Buffer.from(b))
	);
}
