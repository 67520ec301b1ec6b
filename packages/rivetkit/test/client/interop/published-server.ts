/**
 * The published 2.1.3 package serving the interop actors, in a process of its own: started with its
 * port in `INTEROP_PORT`, ready when its `/health` answers.
 */
import { actor, event, queue, setup, UserError } from "rivetkit-published";
import { interopActors } from "./actors.ts";

const library = { actor, event, queue, UserError } as unknown as Parameters<
	typeof interopActors
>[0];

// It starts by itself on the next tick (contract: api 14.3).
setup({
	use: interopActors(library),
	managerPort: Number(process.env.INTEROP_PORT),
	noWelcome: true,
} as unknown as Parameters<typeof setup>[0]);
