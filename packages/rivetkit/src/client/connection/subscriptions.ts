import { callGuarded } from "./callbacks.ts";

/** Receives the positional arguments of an event. */
export type EventListener = (...args: unknown[]) => void;
/** Removes the listener it was returned for. Calling it again does nothing. */
export type EventUnsubscribe = () => void;

interface Registration {
	readonly listener: (...args: readonly unknown[]) => void;
	readonly once: boolean;
}

/** What the subscriptions tell the outside: wire requests to send, and listeners that threw. */
export interface SubscriptionSink {
	/** The first listener of a name came, or its last one went. */
	subscriptionChanged(eventName: string, subscribe: boolean): void;
	listenerFailed(eventName: string, error: unknown): void;
}

/** Which events this connection listens to. One wire subscription per name, however many listeners. */
export class Subscriptions {
	readonly #byName = new Map<string, Set<Registration>>();
	readonly #sink: SubscriptionSink;

	constructor(sink: SubscriptionSink) {
		this.#sink = sink;
	}

	/** Names to subscribe to after a new connection opened. */
	names(): IterableIterator<string> {
		return this.#byName.keys();
	}

	add(eventName: string, listener: EventListener, once: boolean): EventUnsubscribe {
		const registration: Registration = { listener, once };
		const known = this.#byName.get(eventName);
		if (known) {
			known.add(registration);
		} else {
			this.#byName.set(eventName, new Set([registration]));
			this.#sink.subscriptionChanged(eventName, true);
		}
		return () => this.#remove(eventName, registration);
	}

	/** Events without listeners are ignored; the listeners of one event hear it in the order they came. */
	deliver(eventName: string, args: readonly unknown[]): void {
		const registrations = this.#byName.get(eventName);
		if (!registrations) return;
		for (const registration of [...registrations]) {
			if (!registrations.has(registration)) continue;
			if (registration.once) this.#remove(eventName, registration);
			void callGuarded(registration.listener, args, (error) =>
				this.#sink.listenerFailed(eventName, error),
			);
		}
	}

	clear(): void {
		this.#byName.clear();
	}

	#remove(eventName: string, registration: Registration): void {
		const registrations = this.#byName.get(eventName);
		if (!registrations?.delete(registration) || registrations.size > 0) return;
		if (this.#byName.get(eventName) !== registrations) return;
		this.#byName.delete(eventName);
		this.#sink.subscriptionChanged(eventName, false);
	}
}
