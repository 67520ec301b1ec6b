import { actor, setup } from "rivetkit";
import { api } from "./api.ts";

export interface Item {
	readonly id: number;
	readonly text: string;
	readonly done: boolean;
}

/** A shopping list. Its whole interface is HTTP. */
const list = actor({
	options: { name: "List", icon: "cart-shopping" },
	state: { items: [] as Item[], lastId: 0, version: 0 },
	// Calls of one actor run side by side where they wait; what is between two waits is one commit.
	onRequest: (c, request) => api.fetch(request, { list: c.state }),
});

export const registry = setup({
	use: { list },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
