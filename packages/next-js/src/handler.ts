import type { Registry } from "rivetkit";
import { Development } from "./development.ts";
import { withoutRoute } from "./route-path.ts";

/** What Next.js calls a route handler with; a list of segments since the route is `[...all]`. */
export interface RouteContext {
	readonly params: Promise<{ readonly all?: string[] }>;
}

export type RouteHandler = (request: Request, context: RouteContext) => Promise<Response>;

/** The exports of a `route.ts`. */
export interface NextHandlers {
	readonly GET: RouteHandler;
	readonly POST: RouteHandler;
	readonly PUT: RouteHandler;
	readonly DELETE: RouteHandler;
	readonly PATCH: RouteHandler;
	readonly HEAD: RouteHandler;
	readonly OPTIONS: RouteHandler;
}

/** What an engine elsewhere is told of a pool of these functions (contract: api 17). */
const MAX_RUNNERS = 100_000;
const REQUEST_LIFESPAN_S = 300;

/**
 * Serves a registry at `app/api/rivet/[...all]/route.ts`: the segment must be named `all`, and the route must
 * run on Node (the default). Sets `serverless.basePath: "/"` and `noWelcome: true` of `setup()`, and
 * `serveManager: false`: what starts the actors is a request.
 *
 * In `next dev` the actors run on one engine in the process, which takes WebSockets at `managerPort` (6420) and
 * lives on over hot reloads: state and sockets stay. In production the route answers HTTP, and the engine
 * listens on `managerPort` only with `setup({ serveManager: true })`; see docs/next-js.md (contract: api 17).
 *
 * A request is answered 503 `guard.service_unavailable`, with the reason, while the data directory or the port
 * cannot be used.
 *
 * @example
 * export const { GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS } = toNextHandler(registry);
 */
export function toNextHandler(registry: Registry): NextHandlers {
	const { config } = registry;
	const listens = config.serveManager ?? !isProduction();
	const hasRemoteEngine = registry.parseConfig().endpoint !== undefined;
	config.serveManager = false;
	config.noWelcome = true;
	config.serverless = { ...config.serverless, basePath: "/" };
	if (!isProduction()) developWith(registry, hasRemoteEngine);
	const runs = isProduction() || hasRemoteEngine ? null : new Development(registry, listens);
	const handle: RouteHandler = async (incoming, context) => {
		const { all = [] } = await context.params;
		const { route, request } = withoutRoute(incoming, all);
		try {
			if (runs) await runs.ready(route);
			else if (listens && !hasRemoteEngine) await registry.listen();
		} catch (error) {
			return unavailable(error);
		}
		return registry.handler(request);
	};
	return {
		GET: handle,
		POST: handle,
		PUT: handle,
		DELETE: handle,
		PATCH: handle,
		HEAD: handle,
		OPTIONS: handle,
	};
}

/** Each evaluation of the route is a version of the code; an engine elsewhere is told where to find it. */
function developWith({ config }: Registry, hasRemoteEngine: boolean): void {
	config.runner = { ...config.runner, version: Math.floor(Date.now() / 1_000) };
	if (!hasRemoteEngine) return;
	const { NEXT_PUBLIC_SITE_URL, NEXT_PUBLIC_VERCEL_URL, PORT = "3000" } = process.env;
	const site = NEXT_PUBLIC_SITE_URL || NEXT_PUBLIC_VERCEL_URL || `http://127.0.0.1:${PORT}`;
	config.serverless = {
		...config.serverless,
		configureRunnerPool: {
			url: `${site}/api/rivet`,
			maxRunners: MAX_RUNNERS,
			requestLifespan: REQUEST_LIFESPAN_S,
			slotsPerRunner: 1,
			metadata: { provider: "next-js" },
			...config.serverless?.configureRunnerPool,
		},
	};
}

function isProduction(): boolean {
	return process.env.NODE_ENV === "production";
}

function unavailable(error: unknown): Response {
	const message = error instanceof Error ? error.message : String(error);
	return Response.json({ group: "guard", code: "service_unavailable", message }, { status: 503 });
}
