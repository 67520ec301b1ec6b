import { join } from "node:path";
import { setup } from "rivetkit";
import { actors } from "../../../examples/shop/src/actors.ts";

/** The example that the dashboard is tried on. */
export const SHOP = join(import.meta.dirname, "../../../examples/shop");

/** The example's actors on a server of another make: with a token, in memory. */
export function shopWith(options: Omit<Partial<Parameters<typeof setup>[0]>, "use">) {
	return setup({
		use: actors,
		managerPort: 0,
		noWelcome: true,
		logging: { level: "error" },
		...options,
	});
}

export type Shop = ReturnType<typeof shopWith>;
