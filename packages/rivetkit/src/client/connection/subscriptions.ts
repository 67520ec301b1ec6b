import { Callbacks } from "./callbacks.ts";

/** Receives the positional arguments of an event. */
export type EventListener = (...args: unknown[]) => void;
/** Removes the listener it was returned for. Calling it again does nothing. */
export type EventUnsubscribe = () => void;

/** What the subscriptions tell the outside: wire requests to send, and listeners that threw. */
export interface SubscriptionSink {
	/** The first listener of a name came, or its last one went. */
	subscriptionChanged(eventName: string, subscribe: boolean): void;
	listenerFailed(eventName: string, error: unknown): void;
}

/** Which events this connection listens to. One wire subscription per name, however many listeners. */
export class Subscriptions {
	readonly #byName = new Map<string, Callbacks<unknown[]>>();
	readonly #sink: SubscriptionSink;

	constructor(sink: SubscriptionSink) {
		this.#sink = sink;
	}

	/** Names to subscribe to after a new connection opened. */
	names(): IterableIterator<string> {
		return this.#byName.keys();
	}

	add(eventName: string, listener: EventListener, once: boolean): EventUnsubscribe {
		const sink = this.#sink;
		let listeners = this.#byName.get(eventName);
		if (!listeners) {
			listeners = new Callbacks((error) => sink.listenerFailed(eventName, error));
			this.#byName.set(eventName, listeners);
			sink.subscriptionChanged(eventName, true);
		}
		const forget = listeners.add((...args) => {
			if (once) remove();
			return listener(...args);
		});
		const remove = () => {
			forget();
			if (listeners.size > 0 || this.#byName.get(eventName) !== listeners) return;
			this.#byName.delete(eventName);
			sink.subscriptionChanged(eventName, false);
		};
		return remove;
	}

	/** Events without listeners are ignored; the listeners of one event hear it in the order they came. */
	deliver(eventName: string, args: readonly unknown[]): void {
		this.#byName.get(eventName)?.call(...args);
	}

	clear(): void {
		this.#byName.clear();
	}
}
