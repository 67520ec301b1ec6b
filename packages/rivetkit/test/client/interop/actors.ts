/**
 * The actors of the interop suite, written so that the published package and ours can both define
 * them: only what both have, with the library passed in.
 */

/** What a library must bring along. Both are called with plain objects; their types differ. */
export interface ActorLibrary {
	// biome-ignore lint/suspicious/noExplicitAny: two libraries with different types define the same actors
	actor(config: any): any;
	// biome-ignore lint/suspicious/noExplicitAny: as above
	event(): any;
	// biome-ignore lint/suspicious/noExplicitAny: as above
	queue(): any;
	UserError: new (message: string, options?: { code?: string; metadata?: unknown }) => Error;
}

interface State {
	count: number;
	title: string;
	calls: number;
	jobs: unknown[];
}

/** The part of an actor context that the actions below use, in both libraries. */
interface Context {
	readonly state: State;
	readonly key: readonly string[];
	readonly conn: {
		readonly params: unknown;
		readonly state: { user: string };
		send(name: string, ...args: unknown[]): void;
		disconnect(reason?: string): Promise<void>;
	};
	readonly queue: {
		iter(options?: object): AsyncIterable<{
			readonly name: string;
			readonly body: unknown;
			complete?(response: unknown): Promise<void>;
		}>;
	};
	broadcast(name: string, ...args: unknown[]): void;
	destroy(): void;
}

interface Socket {
	send(data: string | Uint8Array): void;
	close(code: number, reason: string): void;
	addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}

export function interopActors({ actor, event, queue, UserError }: ActorLibrary) {
	const room = actor({
		createState: (_c: unknown, input: { title?: string } | undefined): State => ({
			count: 0,
			title: input?.title ?? "untitled",
			calls: 0,
			jobs: [],
		}),
		createConnState: (_c: unknown, params: { user?: string } | null | undefined) => {
			if (params?.user === "banned") {
				throw new UserError("You are banned", { code: "banned", metadata: { until: 7 } });
			}
			return { user: params?.user ?? "nobody" };
		},
		events: { counted: event(), pair: event(), direct: event() },
		actions: {
			add: (c: Context, by: number) => {
				c.state.calls++;
				c.state.count += by;
				c.broadcast("counted", c.state.count);
				return c.state.count;
			},
			get: (c: Context) => ({ count: c.state.count, title: c.state.title, key: c.key }),
			echo: (_c: Context, ...values: unknown[]) => values,
			nothing: () => {},
			whoAmI: (c: Context) => c.conn.state.user,
			pair: (c: Context) => c.broadcast("pair", "a", 1),
			direct: (c: Context) => c.conn.send("direct", "to you"),
			refuse: () => {
				throw new UserError("Not today", { code: "nope", metadata: { n: 1 } });
			},
			crash: () => {
				throw new Error("a secret of the server");
			},
			kick: (c: Context) => void c.conn.disconnect("out"),
			sleep: (_c: Context, ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
			large: (_c: Context, bytes: number) => "x".repeat(bytes),
			destroy: (c: Context) => c.destroy(),
		},
		onRequest: async (_c: unknown, request: Request) => {
			const { pathname, search } = new URL(request.url);
			return Response.json(
				{
					method: request.method,
					target: pathname + search,
					custom: request.headers.get("x-custom"),
					body: await request.text(),
				},
				{ status: 201, headers: { "x-from": "room" } },
			);
		},
		onWebSocket: (_c: unknown, socket: Socket) => {
			socket.addEventListener("message", ({ data }) => {
				if (data === "close") socket.close(4001, "as you wish");
				else socket.send(data as string);
			});
		},
	});

	const worker = actor({
		state: { done: [] as unknown[] },
		queues: { jobs: queue(), idle: queue() },
		actions: {
			done: (c: { state: { done: unknown[] } }) => c.state.done,
		},
		run: async (c: Context & { state: { done: unknown[] } }) => {
			for await (const message of c.queue.iter({ names: ["jobs"], completable: true })) {
				c.state.done.push(message.body);
				await message.complete?.({ did: message.body });
			}
		},
	});

	return { room, worker };
}
