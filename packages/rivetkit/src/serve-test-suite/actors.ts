import { actor } from "../actor/definition.ts";
import { event } from "../actor/tokens.ts";
import { UserError } from "../errors/user-error.ts";

interface Vars {
	/** Sends a chunk of the response to `/ticks`, or (null) ends it. */
	tick: ((chunk: string | null) => void) | null;
	hanging: number;
	left: number;
}

/** Has something for every way through a server. */
const probe = actor({
	state: { count: 0 },
	createVars: (): Vars => ({ tick: null, hanging: 0, left: 0 }),
	events: { counted: event<number>() },
	options: { name: "Probe", icon: "🧪" },
	actions: {
		count: (c, amount: number) => {
			c.state.count += amount;
			c.broadcast("counted", c.state.count);
			return c.state.count;
		},
		echo: (_c, ...values: unknown[]) => values,
		nothing: () => {},
		refuse: () => {
			throw new UserError("Not today", { code: "not_today", metadata: { until: 5 } });
		},
		fail: () => {
			throw new Error("a secret of the server");
		},
		async *stream(c) {
			const left = new Promise<void>((resolve) =>
				c.abortSignal.addEventListener("abort", () => resolve(), { once: true }),
			);
			yield "first";
			await left;
			c.vars.left++;
		},
		tick: (c, chunk: string | null) => c.vars.tick?.(chunk),
		callers: (c) => ({
			ticking: c.vars.tick ? 1 : 0,
			hanging: c.vars.hanging,
			left: c.vars.left,
		}),
	},
	onRequest: (c, request) => {
		const { pathname, search } = new URL(request.url);
		switch (pathname) {
			case "/echo":
				return new Response(request.body, {
					status: 207,
					headers: [
						["content-type", request.headers.get("content-type") ?? ""],
						["x-seen", `${request.method} ${request.headers.get("x-asked")}`],
						["set-cookie", "a=1"],
						["set-cookie", "b=2"],
					],
				});
			case "/ticks":
				return new Response(ticking(c.vars));
			case "/hang":
				c.vars.hanging++;
				return new Promise<Response>((_resolve, reject) => {
					request.signal.addEventListener("abort", () => {
						c.vars.left++;
						reject(request.signal.reason);
					});
				});
			default:
				return new Response(pathname + search);
		}
	},
});

function ticking(vars: Vars): ReadableStream<Uint8Array> {
	return new ReadableStream({
		start(controller) {
			vars.tick = (chunk) => {
				if (chunk === null) controller.close();
				else controller.enqueue(new TextEncoder().encode(chunk));
			};
		},
		cancel() {
			vars.left++;
		},
	});
}

export const actors: { readonly probe: typeof probe } = { probe };
