import { setup } from "rivetkit";
import { actors } from "./actors.ts";

export const registry = setup({
	use: actors,
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
