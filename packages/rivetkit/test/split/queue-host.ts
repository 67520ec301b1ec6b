// A host whose actor answers messages when it is told to.
import { erasedConfig } from "../../src/actor/erased.ts";
import { actor, queue } from "../../src/index.ts";
import { runHost } from "../support/split/host-end.ts";
import { linkToParent } from "../support/split/link.ts";

const oracle = actor({
	state: { isOpen: false, deliveries: 0 },
	queues: { ask: queue<string, string>() },
	run: async (c) => {
		for await (const message of c.queue.iter({ completable: true })) {
			c.state.deliveries++;
			await c.saveState({ immediate: true });
			while (!c.state.isOpen) {
				await new Promise((resolve) => setTimeout(resolve, 5));
				if (c.aborted) return;
			}
			await message.complete(`${message.body} by ${process.pid}`);
			if (message.body === "last words?") c.destroy();
		}
	},
	actions: {
		open: (c) => {
			c.state.isOpen = true;
		},
		deliveries: (c) => c.state.deliveries,
		nap: (c) => c.sleep(),
	},
});

runHost(linkToParent(), new Map([["oracle", erasedConfig(oracle)]]));
