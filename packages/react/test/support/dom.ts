import { Window } from "happy-dom";

const NAMES = ["window", "document", "HTMLElement", "Node", "MutationObserver"] as const;

/**
 * A page for React in this process. Only what is named is put in place: `fetch` and `WebSocket` stay the runtime's, so that
 * tests talk to real servers. Import it before `react-dom`.
 */
const window = new Window({ url: "http://127.0.0.1/" });
for (const name of NAMES) {
	Object.defineProperty(globalThis, name, {
		value: name === "window" ? window : window[name],
		configurable: true,
		writable: true,
	});
}
