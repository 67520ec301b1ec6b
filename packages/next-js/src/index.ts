/** `@rivetkit/next-js`: the actors of a Next.js application behind one route of its app router. */
export {
	type NextHandlers,
	type RouteContext,
	type RouteHandler,
	toNextHandler,
} from "./handler.ts";
