/** Our own package serving the interop actors; see `published-server.ts`. */
import { actor, event, queue, setup, UserError } from "rivetkit";
import { interopActors } from "./actors.ts";

const library = { actor, event, queue, UserError } as unknown as Parameters<
	typeof interopActors
>[0];

setup({
	use: interopActors(library),
	managerPort: Number(process.env.INTEROP_PORT),
	noWelcome: true,
});
