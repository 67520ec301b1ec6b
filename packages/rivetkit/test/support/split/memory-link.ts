import type { MessageLink } from "./link.ts";

/** A link inside this process, with an end to each side. Messages are copied and take a turn each way. */
export class MemoryLink<A, B> {
	readonly near: MessageLink<A, B>;
	readonly far: MessageLink<B, A>;
	#isCut = false;
	readonly #gone: (() => void)[] = [];

	constructor() {
		const listeners: { near: ((message: B) => void)[]; far: ((message: A) => void)[] } = {
			near: [],
			far: [],
		};
		const carry = <T>(message: T, to: ((message: T) => void)[]) => {
			if (this.#isCut) return;
			const copy = structuredClone(message);
			setImmediate(() => {
				if (!this.#isCut) for (const listen of to) listen(copy);
			});
		};
		const onGone = (listen: () => void) => void this.#gone.push(listen);
		this.near = {
			send: (message) => carry(message, listeners.far),
			onMessage: (listen) => void listeners.near.push(listen),
			onGone,
		};
		this.far = {
			send: (message) => carry(message, listeners.near),
			onMessage: (listen) => void listeners.far.push(listen),
			onGone,
		};
	}

	/** Both ends are on their own from now on; what was on the way is lost. */
	cut(): void {
		if (this.#isCut) return;
		this.#isCut = true;
		for (const listen of this.#gone) listen();
	}
}
